"""What a step of a classifier's training takes, by some that are taken back.

Knows batches and the loop; knows nothing of minutes.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch

from hornbook.batches.labelled import LabelledBatch
from hornbook.train.checkpoint import trainable
from hornbook.train.loop import LoopConfig, train
from hornbook.train.objective import Objective
from hornbook.train.state import TrainState

_TIMED = 4
"""Steps timed to learn how many fit into the minutes."""
_SIZED = 200
"""Batches looked at to see which are of a usual size."""


class StepBatches(Protocol):
    @property
    def steps_per_epoch(self) -> float: ...

    def batch(self, step: int) -> LabelledBatch: ...


def step_seconds(
    begin: Callable[[], TrainState],
    objective: Objective,
    batches: StepBatches,
    loop: LoopConfig,
    most: float,
) -> float:
    """Seconds of a training step, of some taken and taken back.

    The first is not counted: kernels are prepared in it, and it took six times as long as others.
    most: seconds of the others after which no more are taken.
    """
    state, typical = begin(), _Typical(batches)
    weights = [(weight, weight.detach().clone()) for _, weight in trainable(state.model)]
    train(state, objective, typical, loop)
    first = state.elapsed_s
    while state.step <= _TIMED and state.elapsed_s - first <= most:
        train(state, objective, typical, loop.model_copy(update={"steps": state.step + 1}))
    with torch.no_grad():
        for weight, kept in weights:
            weight.copy_(kept)
    return (state.elapsed_s - first) / (state.step - 1)


class _Typical:
    """Batches of the first pass, those first whose size is nearest to the mean.

    Batches of texts of one length differ in size by far: the first may be ten times another.
    """

    def __init__(self, batches: StepBatches) -> None:
        self._batches = batches
        count = max(1, int(batches.steps_per_epoch))
        steps = np.unique(np.linspace(0, count - 1, min(count, _SIZED)).astype(int))
        sizes = np.array([batches.batch(int(step)).inputs.numel() for step in steps])
        self._steps = steps[np.argsort(np.abs(sizes - sizes.mean()), kind="stable")]

    def batch(self, step: int) -> LabelledBatch:
        return self._batches.batch(int(self._steps[step % len(self._steps)]))
