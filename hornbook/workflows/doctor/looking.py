"""What checks need to look at a problem: its first batches, and a model all of which counts."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from hornbook.batches.batch import Batch
from hornbook.batches.preferences import PreferenceBatch
from hornbook.batches.rollouts import RolloutBatch
from hornbook.batches.taught import TaughtBatch
from hornbook.models.causal_lm import CausalLM
from hornbook.models.masked_lm import MaskedLM
from hornbook.training.objective import masked_losses, token_losses
from hornbook.training.problem import Problem

_LOOKING_S = 3.0


def first_batches(problem: Problem, most: int, seconds: float = _LOOKING_S) -> Iterator[Any]:
    """The batches of the first steps of an epoch, as many as there are and there is time for."""
    began = time.monotonic()
    for step in range(min(most, max(1, int(problem.steps_per_epoch)))):
        if step and time.monotonic() - began > seconds:
            return
        yield problem.batches.batch(step)


def rows_of(batch: Any) -> Batch | None:
    """The rows of tokens with targets that a batch holds; of preferences the preferred answers."""
    if isinstance(batch, PreferenceBatch):
        return batch.chosen
    if isinstance(batch, RolloutBatch):
        return batch.answers
    if isinstance(batch, TaughtBatch):
        return batch.given
    return batch if isinstance(batch, Batch) else None


def samples(batch: Batch) -> Tensor:
    """(B, T) int64: which sample of its row each position belongs to.

    A sample begins where positions are counted anew or segments change: either tells it, so that
    one that is lost is noticed by the other.
    """
    begins = (batch.pos == 0).expand_as(batch.tokens).clone()
    if batch.segments is not None:
        begins[:, 1:] |= batch.segments[:, 1:] != batch.segments[:, :-1]
    return begins.long().cumsum(1)


def losses(model: nn.Module, batch: Batch) -> Tensor:
    """(B, T) of each target, in nats, on the CPU."""
    device = str(next(model.parameters()).device)
    of = masked_losses if isinstance(model, MaskedLM) else token_losses
    return of(model, batch.to(device)).float().cpu()


def writes(model: nn.Module | None) -> bool:
    """Whether a model foretells each token from those before it."""
    return isinstance(model, CausalLM)


@contextlib.contextmanager
def awake(model: nn.Module) -> Iterator[None]:
    """The model without dropout, its matrices of zeros filled: a fresh one adds nothing until it
    has learned to, and would hide what it sees. Undone afterwards."""
    draw, was_training = torch.Generator().manual_seed(0), model.training
    zeros = [weight for weight in model.parameters() if weight.dim() > 1 and not weight.any()]
    with torch.no_grad():
        for weight in zeros:
            found = torch.randn(weight.shape, generator=draw) * weight.shape[-1] ** -0.5
            weight.copy_(found)
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
        with torch.no_grad():
            for weight in zeros:
                weight.zero_()
