"""Everything that a restart needs, as one object."""

from dataclasses import dataclass, field

from torch import nn

from hornbook.training.optimiser import Optimiser
from hornbook.training.schedule import Cut


@dataclass
class TrainState:
    """A model in training.

    step, tokens: optimiser steps and trained targets so far. elapsed_s: seconds in steps, hooks
    not counted. loss: mean of the last step, nats a token. gradient_norm: before clipping. cuts:
    where the run was shortened because time was short. threads: at which steps the number of
    threads changed, and to what.
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
