"""Sentence embeddings: one vector of length one for each text, near where the meanings are near.

The mean of the encoder's real vectors (Reimers & Gurevych 2019). Knows encoders and tokenizers;
knows nothing of what the vectors are for.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from hornbook.models.encoder import Encoder
from hornbook.nn.padding import padded
from hornbook.nn.pooling import Mean
from hornbook.tokenize.sequences import SequenceTokenizer

_TOKENS_AT_ONCE = 4096
"""Padding included: enough for full speed, little enough to stay in the cache."""


@torch.no_grad()
def embed(
    model: Encoder,
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
    device, mean = model.embedding.token.weight.device, Mean()
    found = np.zeros((len(texts), model.config.width), np.float32)
    sequences = tokenizer.encode_batch(texts, longest)
    for rows in _alike(sequences):
        tokens, valid = (t.to(device) for t in padded([sequences[i] for i in rows], 0))
        vectors = mean(model(tokens, valid), valid).float()
        found[rows] = F.normalize(vectors, dim=1).cpu().numpy()
    return found


def _alike(sequences: Sequence[np.ndarray]) -> Iterator[list[int]]:
    """All indices, longest sequences first, in groups of about equal lengths."""
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    while order:
        count = max(1, _TOKENS_AT_ONCE // max(1, len(sequences[order[0]])))
        yield order[:count]
        order = order[count:]
