"""Contrastive learning: each question nearest to its own passage, by vectors or read together.

InfoNCE over the passages of a batch (van den Oord et al. 2018; Henderson et al. 2017 for the
negatives within a batch): -log softmax(cos(q, p) / t)[own], and the same the other way round.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.batches.questions import GroupBatch, QuestionBatch
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.encoder import EncoderNetwork
from hornbook.nn.pooling import Mean
from hornbook.training.objective import Objective

_TOKENS_AT_ONCE = 2048


def contrast(temperature: float) -> Objective:
    """The objective: the mean of both directions, a sum over pairs, in nats."""

    def objective(model: nn.Module, batch: QuestionBatch) -> tuple[Tensor, int]:
        assert isinstance(model, EncoderNetwork)
        questions = sentence_vectors(model, batch.questions, batch.questions_valid)
        passages = sentence_vectors(model, batch.passages, batch.passages_valid)
        cosines = questions @ passages.T / temperature
        # What answers this question as well is not what it is told from.
        own = torch.arange(len(cosines), device=cosines.device)
        same = batch.numbers[:, None] == batch.numbers[None]
        cosines = cosines.masked_fill(same & (own[:, None] != own[None]), -torch.inf)
        there = F.cross_entropy(cosines, own, reduction="sum")
        back = F.cross_entropy(cosines.T, own, reduction="sum")
        return (there + back) / 2, len(own)

    return objective


def right_first(model: nn.Module, batch: GroupBatch) -> tuple[Tensor, int]:
    """The objective of a cross-encoder: -log softmax(logits of a group)[the right one], a sum over
    groups in nats (Gao et al. 2021, localised contrastive estimation)."""
    assert isinstance(model, ClassifierNetwork)
    logits = model(batch.tokens, batch.valid, batch.types).float().view(-1, batch.size)
    own = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    return F.cross_entropy(logits, own, reduction="sum"), len(own)


def sentence_vectors(model: EncoderNetwork, tokens: Tensor, valid: Tensor) -> Tensor:
    """(B, D) float32, of length one: the mean of the real tokens' features.

    On a CPU a few of about one length at a time, so that little is filled up and what is computed
    stays in the cache.
    """
    if tokens.device.type != "cpu":
        return F.normalize(Mean()(model(tokens, valid), valid).float(), dim=1)
    order = torch.argsort(valid.sum(1), descending=True, stable=True)
    lengths, parts, start = valid.sum(1)[order].tolist(), [], 0
    while start < len(lengths):
        longest = max(1, lengths[start])
        rows = order[start : start + max(1, _TOKENS_AT_ONCE // longest)]
        real = valid[rows, :longest]
        parts.append(Mean()(model(tokens[rows, :longest], real), real).float())
        start += len(rows)
    vectors = torch.cat(parts)[torch.argsort(order)]
    return F.normalize(vectors, dim=1)
