"""A problem of learning: what is minimised on which batches, and how it is looked at meanwhile.

The life of a run, its rehearsal and its loop know what they train by this alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from torch import nn

from hornbook.batches.batch import AnyBatch
from hornbook.core.config import Config
from hornbook.core.progress import quoted
from hornbook.training.choices import Choice, replaced
from hornbook.training.loop import Batches, Hook, LoopConfig, train
from hornbook.training.objective import Objective
from hornbook.training.precision import compile_layers
from hornbook.training.state import TrainState


class Problem(ABC):
    """What is learned, with which model, and how it is looked at.

    measure: the figure of `score` that is forecast and kept the best of; lower is better. targets:
    what is learned from, for people. plan: the sizes, of which `step_size` is the name of those of
    a step. steps_per_epoch: of a pass over the data. loop: how steps are computed; its own number
    of steps means nothing. fixed: the user set the size of a step. uncompilable: why the model's
    layers cannot be compiled, if so. after_step: done first after every step. patience: evaluations
    without a better one that end the training, which is then left with the best weights; None for
    all steps and the last weights. untrained: the measure before the first step, where the weights
    as they were may stay the best.
    """

    measure: ClassVar[str]
    targets: ClassVar[str]
    step_size: ClassVar[str] = "rows"
    uncompilable: ClassVar[str] = ""
    after_step: ClassVar[Sequence[Hook]] = ()

    model: nn.Module
    objective: Objective
    batches: Batches
    steps_per_epoch: float
    plan: Config
    loop: LoopConfig
    choices: list[Choice]
    patience: int | None = None
    untrained: float | None = None
    fixed: bool = False

    @property
    def stored_bytes(self) -> int:
        """What lies in the run's folder beside checkpoints and model."""
        return 0

    @property
    def size(self) -> int:
        """Of a step, in rows or tokens."""
        size: int = getattr(self.plan, self.step_size)
        return size

    @abstractmethod
    def begin(self) -> TrainState:
        """The model with the weights that training begins with, an optimiser that has seen none."""

    @abstractmethod
    def score(self) -> dict[str, float]:
        """Figures of the model as it is now, `measure` among them."""

    @abstractmethod
    def said(self, figures: dict[str, float]) -> str:
        """What `score` found, for people."""

    def learn(self, state: TrainState, config: LoopConfig, hooks: Sequence[Hook] = ()) -> None:
        """Take steps, see `training.loop.train`."""
        train(state, self.objective, _Coming(self, state, config), config, hooks)

    def batch(self, state: TrainState, config: LoopConfig) -> AnyBatch:
        """Of the step that comes. What `writes` says may depend on the weights of now."""
        return self.batches.batch(state.step)

    def writes(self, state: TrainState, config: LoopConfig) -> bool:
        """Whether the model itself makes a part of the batch of the step that comes."""
        return False

    def compile(self, undo: bool = False) -> None:
        """Let the layers of the model be compiled, or run as they are written again."""
        compile_layers(self.model.get_submodule("stack"), undo)

    @abstractmethod
    def resize(self, size: int) -> None:
        """Take steps of another size from now on."""

    def shrink(self, size: int, reason: str) -> None:
        """Take smaller steps, and write down why."""
        self.resize(size)
        self.choices = replaced(self.choices, Choice(self.step_size, size, reason))

    def sample(self, seed: int) -> dict[str, Any] | None:
        """The model at work, {prompt or source, text}; None where nothing can be shown."""
        return None

    def shown(self, sample: dict[str, Any]) -> list[str]:
        """Lines for people about a sample."""
        return ["  sample:", *quoted(f"{sample.get('prompt', '')}⁞{sample.get('text', '')}")]

    def score_at_end(self, figures: dict[str, float]) -> float:
        """`measure` of the model as it is now, measured as it will be at the end: what is foretold
        and what is reached must be one thing. figures: what `score` found just now."""
        return figures[self.measure]

    def sides(self) -> tuple[Iterable[str | bytes], Iterable[str | bytes]] | None:
        """What is learned from, and what is measured on: each item as its text, or its bytes. For
        whoever looks for leaks; None where that is not known."""
        return None

    def ending_s(self, score_s: float) -> float:
        """Seconds that measuring at the end will take, from those of `score`."""
        return score_s


class _Coming(NamedTuple):
    """The batch of the step that comes, as a problem gives it in the state of now."""

    problem: Problem
    state: TrainState
    config: LoopConfig

    def batch(self, step: int) -> AnyBatch:
        assert step == self.state.step
        return self.problem.batch(self.state, self.config)
