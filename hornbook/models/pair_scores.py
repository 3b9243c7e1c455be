"""Scores of questions beside passages by a cross-encoder: a classifier of one label.

As sentence-transformers' CrossEncoder has it: both texts in one sequence, one logit.
"""

from collections.abc import Sequence

import numpy as np
import torch

from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.sentences import alike
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.padding import padded
from hornbook.tokenize.sequences import PairSequence, SequenceTokenizer


def read_pairs(
    model: ClassifierNetwork,
    tokenizer: SequenceTokenizer,
    pairs: Sequence[tuple[str, str]],
    longest: int | None = None,
) -> list[PairSequence]:
    """As the model reads them. longest: ids of a pair, at most and by default its context."""
    found = tokenizer.encode_pairs(
        pairs, min(longest or model.config.context, model.config.context)
    )
    embedding = model.config.embedding
    if isinstance(embedding, EmbeddingConfig) and embedding.types > 1:
        return found
    return [one._replace(types=np.zeros_like(one.types)) for one in found]


@torch.no_grad()
def pair_scores(model: ClassifierNetwork, sequences: Sequence[PairSequence]) -> np.ndarray:
    """(N,) float32 logits; sequences of about one length are computed together."""
    found = np.zeros(len(sequences), np.float32)
    for rows in alike([one.ids for one in sequences]):
        tokens, valid = padded([sequences[i].ids for i in rows], 0)
        types, _ = padded([sequences[i].types for i in rows], 0)
        inputs = (tensor.to(model.device) for tensor in (tokens, valid, types))
        found[rows] = model(*inputs)[:, 0].float().cpu().numpy()
    return found
