"""The training loop, on one page. What happens once in a while is a hook."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from pydantic import Field
from torch import nn

from hornbook.batches.batch import AnyBatch
from hornbook.core.config import Config
from hornbook.core.errors import HornbookError
from hornbook.core.machine import DType
from hornbook.training.objective import Objective
from hornbook.training.precision import product_type
from hornbook.training.schedule import ScheduleConfig, last_step
from hornbook.training.state import TrainState

_APART = 1_000_003
"""Between the seeds of two processes."""
Hook = Callable[[TrainState], None]
"""Called after every optimiser step."""


Learn = Callable[[TrainState], tuple[float, int]]
"""Adds up the gradient of a step; gives the loss sum and its count."""


class Batches(Protocol):
    """Gives the batch of any step, the same one whenever it is asked."""

    def batch(self, step: int) -> AnyBatch: ...


class LoopConfig(Config):
    """steps: optimiser steps in all. micro_rows: rows computed at once; fewer need less memory.

    seed: of what is drawn anew at each step, as dropout is.
    """

    steps: int = Field(ge=1)
    micro_rows: int = Field(ge=1)
    schedule: ScheduleConfig
    device: str
    dtype: DType
    seed: int = 0

    def seed_step(self, step: int, rank: int = 0) -> None:
        """What is drawn from now on is that of a step; by each of several processes something else.

        `torch.manual_seed` would, where no GPU is used, write down the whole stack each time.
        """
        seed = (self.seed + (step << 32) + _APART * rank) % 2**63
        if self.device == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)


class Diverged(HornbookError):
    """A loss or gradient stopped being a finite number."""


def train(
    state: TrainState,
    objective: Objective,
    batches: Batches,
    config: LoopConfig,
    hooks: Sequence[Hook] = (),
) -> None:
    """Run from `state.step` to `config.steps`, or to where a hook cuts the run.

    Raises Diverged at the first non-finite step.
    """

    def learn(state: TrainState) -> tuple[float, int]:
        return gradient(state.model, objective, batches.batch(state.step), config)

    state.model.train()
    go(state, config, hooks, lambda: advance(state, config, learn))


def go(
    state: TrainState, config: LoopConfig, hooks: Sequence[Hook], work: Callable[[], None]
) -> None:
    """Do `work`, which takes a step, until the run ends, and after each what the hooks do."""
    while state.step < last_step(config.steps, state.cuts):
        work()
        for hook in hooks:
            hook(state)


def advance(state: TrainState, config: LoopConfig, learn: Learn) -> None:
    """One optimiser step. Raises Diverged where it is not finite, before the weights move."""
    started = time.perf_counter()
    config.seed_step(state.step)
    loss, count = learn(state)
    norm = float(state.optimiser.finish_gradient(count))
    if not math.isfinite(loss) or not math.isfinite(norm):
        raise Diverged(_reason(state, loss / count, norm))
    state.optimiser.step(config.schedule.factor(state.step, config.steps, state.cuts))
    state.optimiser.clear_gradient()
    state.step += 1
    state.tokens += count
    state.loss, state.gradient_norm = loss / count, norm
    state.elapsed_s += time.perf_counter() - started


def gradient(
    model: nn.Module, objective: Objective, batch: AnyBatch, config: LoopConfig
) -> tuple[float, int]:
    """Add up the gradient of the loss sum over micro-batches; return that sum and its count."""
    total, count = 0.0, 0
    for part in batch.split(config.micro_rows):
        with product_type(config.device, config.dtype):
            loss, targets = objective(model, part.to(config.device))
        loss.backward()
        total, count = total + float(loss.detach()), count + targets
    return total, max(1, count)


def _reason(state: TrainState, loss: float, norm: float) -> str:
    broken = [
        name
        for name, weight in state.model.named_parameters()
        if weight.grad is not None and not bool(torch.isfinite(weight.grad).all())
    ]
    where = f"the gradient of {broken[0]} and {len(broken) - 1} more" if broken else "the sum"
    return (
        f"Step {state.step + 1} is not finite: loss {loss}, gradient norm {norm}, in {where}. "
        f"The step before had loss {state.loss:.4f} and gradient norm {state.gradient_norm:.3g}. "
        "The weights before this step are untouched; lower the learning rates and resume."
    )
