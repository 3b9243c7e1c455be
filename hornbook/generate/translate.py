"""Texts to their translations: encoded, searched in batches of like lengths, decoded.

Knows tokenizers and the search; knows nothing of files or terminals.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hornbook.core.errors import HornbookError
from hornbook.generate.beam import BeamConfig, Found, search
from hornbook.models.seq2seq import Seq2Seq
from hornbook.tokenize.tokenizer import Tokenizer

_TOKENS = 4096
"""Of the sources of a batch, padding and beams counted."""


class Translation(NamedTuple):
    """text: of the target. token_ids: its end included. score: log-probability over
    length^penalty."""

    text: str
    token_ids: list[int]
    score: float


def translate(
    model: Seq2Seq, tokenizer: Tokenizer, texts: Sequence[str], config: BeamConfig
) -> list[Translation]:
    """The translation of every text, in their order; nothing for an empty one.

    Raises HornbookError, before any work, for a text that does not fit into the context.
    """
    if tokenizer.eos_id is None:
        raise HornbookError(f"{tokenizer.where} names no end-of-text token.")
    sources = [[*ids.tolist(), tokenizer.eos_id] for ids in tokenizer.encode_batch(texts)]
    for text, source in zip(texts, sources, strict=True):
        if len(source) > model.config.context:
            raise HornbookError(
                f"A text has {len(source)} tokens; this model takes {model.config.context}: "
                f"{text[:60]!r}. Give a sentence at a time."
            )
    device, start = model.head.weight.device, model.config.start
    found = [Found([], 0.0)] * len(texts)
    for rows in _batches([len(source) for source in sources], config.beams):
        padded, valid = _pad([sources[row] for row in rows])
        best = search(model, padded.to(device), valid.to(device), start, tokenizer.eos_id, config)
        for row, target in zip(rows, best, strict=True):
            found[row] = target
    return [_decoded(tokenizer, target) for target in found]


def _batches(lengths: Sequence[int], beams: int) -> Iterator[list[int]]:
    """The places of texts that are not empty, like lengths together, long ones first."""
    order = [i for i in range(len(lengths)) if lengths[i] > 1]
    order.sort(key=lambda i: -lengths[i])
    first = 0
    while first < len(order):
        count = max(1, _TOKENS // (lengths[order[first]] * beams))
        yield order[first : first + count]
        first += count


def _pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Ids as (N, S) int64 with 0 on the right, and which are real."""
    longest = max(map(len, rows))
    padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    return padded, torch.arange(longest) < lengths[:, None]


def _decoded(tokenizer: Tokenizer, found: Found) -> Translation:
    ids = [i for i in found.ids if i not in tokenizer.special_ids]
    return Translation(tokenizer.decode(ids).strip(), found.ids, found.score)
