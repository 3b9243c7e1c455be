"""Everything that a restart needs, as one object."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from torch import nn

from hornbook.training.optimiser import Optimiser
from hornbook.training.schedule import Cut

Written = Callable[[], object]
"""Writes what is left to be written of a checkpoint, or waits for those who do, in any thread."""


def at_once() -> None:
    """Of a checkpoint that is written: nothing is left to be written."""


class Files(Protocol):
    """How the tensors of a checkpoint are written and read, where others than this process hold
    some of them."""

    def write(self, folder: Path, state: "TrainState") -> Written:
        """Copy what a checkpoint holds and begin to write it: training may go on meanwhile."""
        ...

    def read(self, folder: Path, state: "TrainState") -> str | None:
        """All into `state`; returns what is wrong with them, before it is touched."""
        ...


@dataclass
class TrainState:
    """A model in training.

    step, tokens: optimiser steps and trained targets so far. elapsed_s: seconds in steps, hooks
    not counted. loss: mean of the last step, nats a token. gradient_norm: before clipping. cuts:
    where the run was shortened because time was short. threads: at which steps the number of
    threads changed, and to what. files: how a checkpoint of it is kept, None for
    as one process does.
    """

    model: nn.Module
    optimiser: Optimiser
    step: int = 0
    tokens: int = 0
    elapsed_s: float = 0.0
    loss: float = float("nan")
    gradient_norm: float = float("nan")
    cuts: list[Cut] = field(default_factory=list)
    threads: list[tuple[int, int]] = field(default_factory=list)
    files: Files | None = None
