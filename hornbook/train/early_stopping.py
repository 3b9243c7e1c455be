"""Training that looks at held-out examples, keeps the best weights, and knows when to stop.

Knows the loop and a measure where lower is better; knows nothing of what is measured.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hornbook.core.config import Config
from hornbook.train.loop import Batches, Hook, LoopConfig, train
from hornbook.train.objective import Objective
from hornbook.train.schedule import last_step
from hornbook.train.state import TrainState


class Stopping(Config):
    """every: steps between two looks; the last step is looked at too. patience: looks in a row
    without a better one that end the training. deadline: of time.perf_counter, or None.
    """

    every: int
    patience: int
    deadline: float | None = None


class Kept(NamedTuple):
    """step, loss: of the best weights, which were kept. reason: why training ended early, or ""."""

    step: int
    loss: float
    reason: str


class _Enough(Exception):
    """Ends the loop from a hook; says why."""


def train_best(
    state: TrainState,
    objective: Objective,
    batches: Batches,
    config: LoopConfig,
    measure: Callable[[], float],
    stopping: Stopping,
    hooks: Sequence[Hook] = (),
) -> Kept:
    """Train as `train` does; leaves the model with the weights that measured best.

    measure: called after every `stopping.every` steps; of equal ones the first counts. Only what
    may move is kept aside: a frozen backbone is not copied.
    """
    watch = _Watch(measure, stopping, config.steps)
    reason = ""
    try:
        train(state, objective, batches, config, [*hooks, watch])
    except _Enough as enough:
        reason = str(enough)
    watch.restore(state)
    return Kept(watch.step, watch.loss, reason)


class _Watch:
    """A hook that measures, remembers the best, and raises _Enough."""

    def __init__(self, measure: Callable[[], float], stopping: Stopping, steps: int) -> None:
        self._measure, self._stopping, self._steps = measure, stopping, steps
        self._best: dict[str, Tensor] = {}
        self._worse = 0
        self.step, self.loss = 0, float("inf")

    def __call__(self, state: TrainState) -> None:
        late = self._stopping.deadline is not None and (
            time.perf_counter() > self._stopping.deadline
        )
        last = last_step(self._steps, state.cuts)
        if late or state.step % self._stopping.every == 0 or state.step == last:
            self._look(state)
        if state.step == last:
            return
        if late:
            raise _Enough("the time was used up")
        if self._worse >= self._stopping.patience:
            raise _Enough(f"no better in the last {self._worse} looks at the validation part")

    def _look(self, state: TrainState) -> None:
        loss = self._measure()
        if loss < self.loss or not self._best:
            self.step, self.loss, self._worse = state.step, loss, 0
            self._best = {
                name: weight.detach().clone()
                for name, weight in state.model.named_parameters()
                if weight.requires_grad
            }
        else:
            self._worse += 1

    @torch.no_grad()
    def restore(self, state: TrainState) -> None:
        """Give the model the best weights."""
        parameters = dict(state.model.named_parameters())
        for name, weight in self._best.items():
            parameters[name].copy_(weight)
