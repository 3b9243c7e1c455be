"""What translators minimise: the cross-entropy of the target's next token, given the source."""

import torch
from torch import Tensor, nn

from hornbook.batches.batch import PairBatch
from hornbook.models.seq2seq import Seq2Seq
from hornbook.training.objective import Objective, linear_cross_entropy, linear_losses


def next_target(smoothing: float) -> Objective:
    """The objective with a share of each target spread over all tokens (Vaswani et al. 2017, 5.4).

    Its loss counts the spread; `target_losses` tells the plain one.
    """

    def objective(model: nn.Module, batch: PairBatch) -> tuple[Tensor, int]:
        assert isinstance(model, Seq2Seq)
        return linear_cross_entropy(_features(model, batch), model.head, batch.targets, smoothing)

    return objective


@torch.no_grad()
def target_losses(model: nn.Module, batch: PairBatch) -> Tensor:
    """The loss of each target in nats, (B, T) float32; 0 where the target is IGNORE."""
    assert isinstance(model, Seq2Seq)
    return linear_losses(_features(model, batch), model.head, batch.targets)


def _features(model: Seq2Seq, batch: PairBatch) -> Tensor:
    """(B, T, D)"""
    return model.features(batch.tokens, model.encode(batch.source, batch.source_valid))
