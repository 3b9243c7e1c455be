"""Texts to their translations: encoded, searched in batches of like lengths, decoded."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.generate.beam import BeamConfig, Hypothesis, search
from hornbook.models.seq2seq import Seq2Seq
from hornbook.nn.padding import padded
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.tokenize.unigram import UnigramTokenizer

_TOKENS = 4096
"""Of the sources of a batch, padding and beams counted."""


class Translation(NamedTuple):
    """text: of the target. token_ids: its end included. score: log-probability over
    length^penalty."""

    text: str
    token_ids: list[int]
    score: float


def translate(
    model: Seq2Seq,
    tokenizer: Tokenizer | UnigramTokenizer,
    texts: Sequence[str],
    config: BeamConfig,
    prompt: str = "",
) -> list[Translation]:
    """The translation of every text, in their order; nothing for an empty one.

    prompt: stands before each text, for a model that knows several tasks by such words.
    Raises HornbookError, before any work, for a text that does not fit into the context.
    """
    if tokenizer.eos_id is None:
        raise HornbookError(f"{tokenizer.where} names no end-of-text token.")
    end = tokenizer.eos_id
    asked = [prompt + text if text.strip() else "" for text in texts]
    sources = [np.append(ids, end) for ids in tokenizer.encode_batch(asked)]
    for text, ids in zip(texts, sources, strict=True):
        if len(ids) > model.config.context:
            raise HornbookError(
                f"A text has {len(ids)} tokens; this model takes {model.config.context}: "
                f"{text[:60]!r}. Give a sentence at a time."
            )
    device, start = model.device, model.config.start
    found = [Hypothesis([], 0.0)] * len(texts)
    for rows in _batches([len(ids) for ids in sources], config.beams):
        source, valid = padded([sources[row] for row in rows], 0)
        best = search(model, source.to(device), valid.to(device), start, tokenizer.eos_id, config)
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


def _decoded(tokenizer: Tokenizer | UnigramTokenizer, found: Hypothesis) -> Translation:
    ids = [i for i in found.ids if i not in tokenizer.special_ids]
    return Translation(tokenizer.decode(ids).strip(), found.ids, found.score)
