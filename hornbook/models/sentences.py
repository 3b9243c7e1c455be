"""Sentence embeddings: one vector of length one for each text, near where the meanings are near.

The mean of the encoder's real vectors (Reimers & Gurevych 2019). Knows encoders and tokenizers;
knows nothing of what the vectors are for.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from hornbook.models.encoder import EncoderNetwork
from hornbook.nn.padding import padded
from hornbook.nn.pooling import Mean
from hornbook.tokenize.sequences import SequenceTokenizer

_TOKENS_AT_ONCE = 4096
"""Padding included: enough for full speed, little enough to stay in the cache."""

_TEXTS_AT_ONCE, _CHARACTERS_AT_ONCE = 4096, 2**24
"""Of a stream, held in memory and sorted by length: enough to find neighbours of one length."""


class Embedded(NamedTuple):
    """Some texts of a stream. vectors: (N, D) float32, rows of length one, in their order.

    tokens: (N,) int64, how many were read of each. cut: (N,) bool, True = the end was not read.
    empty: (N,) bool, nothing but white space, so that the vector means nothing.
    """

    vectors: np.ndarray
    tokens: np.ndarray
    cut: np.ndarray
    empty: np.ndarray


def embed_stream(
    model: EncoderNetwork,
    tokenizer: SequenceTokenizer,
    texts: Iterable[str],
    longest: int | None = None,
    prompt: str = "",
) -> Iterator[Embedded]:
    """As `embed`, for texts without end: a part at a time, in order, in memory that is bounded.

    prompt: stands before each text.
    """
    longest = min(longest or model.config.context, model.config.context)
    for part in _parts(texts):
        sequences, whole = tokenizer.encode_counted([prompt + text for text in part], longest)
        read = np.array([len(ids) for ids in sequences], np.int64)
        yield Embedded(
            vectors=_vectors(model, sequences),
            tokens=read,
            cut=whole > read,
            empty=np.array([not text.strip() for text in part], bool),
        )


def _parts(texts: Iterable[str]) -> Iterator[list[str]]:
    """Successive texts until there are many, or they are long."""
    part, characters = list[str](), 0
    for text in texts:
        part.append(text)
        characters += len(text)
        if len(part) == _TEXTS_AT_ONCE or characters >= _CHARACTERS_AT_ONCE:
            yield part
            part, characters = [], 0
    if part:
        yield part


def embed(
    model: EncoderNetwork,
    tokenizer: SequenceTokenizer,
    texts: Sequence[str],
    longest: int | None = None,
) -> np.ndarray:
    """(N, D) float32, rows of length one, in the order of `texts`.

    longest: tokens of a text that are read, at most and by default the model's context. Texts of
    one length are computed together; what a text shares a batch with moves no more than the last
    digits of its vector.
    """
    longest = min(longest or model.config.context, model.config.context)
    return _vectors(model, tokenizer.encode_batch(texts, longest))


@torch.no_grad()
def _vectors(model: EncoderNetwork, sequences: Sequence[np.ndarray]) -> np.ndarray:
    """(N, D) float32: the normalised mean of each sequence's features."""
    device, mean = model.device, Mean()
    found = np.zeros((len(sequences), model.config.width), np.float32)
    for rows in alike(sequences):
        tokens, valid = (t.to(device) for t in padded([sequences[i] for i in rows], 0))
        # Texts of one length, which is most, need no mask.
        real = None if bool(valid.all()) else valid
        vectors = mean(model(tokens, real).float(), real)
        found[rows] = F.normalize(vectors, dim=1).cpu().numpy()
    return found


def alike(sequences: Sequence[np.ndarray]) -> Iterator[list[int]]:
    """All indices, longest sequences first, in groups of about equal lengths."""
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    while order:
        count = max(1, _TOKENS_AT_ONCE // max(1, len(sequences[order[0]])))
        yield order[:count]
        order = order[count:]
