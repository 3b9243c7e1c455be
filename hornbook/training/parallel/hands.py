"""What every process of a team does when the leader says so, the leader included.

The names of the public methods are the orders; what they are given is plain data.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.errors import HornbookError
from hornbook.training.checkpoint import counters
from hornbook.training.loop import LoopConfig, advance
from hornbook.training.parallel.plans import Replicated, Sharing
from hornbook.training.parallel.share import shared_gradient
from hornbook.training.parallel.spread import together
from hornbook.training.parallel.team import Team
from hornbook.training.problem import Problem
from hornbook.training.schedule import Cut
from hornbook.training.state import TrainState, Written, at_once


class Hands:
    """One process at work on its part of a problem. sharded: no process holds all moments."""

    def __init__(self, problem: Problem, team: Team, sharded: bool) -> None:
        self.problem, self.team = problem, team
        self.state: TrainState
        self._sharded = sharded
        self._sharing: Sharing | None = None
        self.written: Written = at_once

    @property
    def sharing(self) -> Sharing:
        """How the model is shared; made anew where the problem has another model by now."""
        if self._sharing is None or self._sharing.model is not self.problem.model:
            self._sharing = self._shared()
        return self._sharing

    def _shared(self) -> Sharing:
        if not self._sharded:
            return Replicated(self.problem, self.team)
        from hornbook.training.parallel.shards import Sharded

        return Sharded(self.problem, self.team)

    def begin(self) -> None:
        """The weights that training begins with."""
        self.state = self.sharing.begin(self.problem)

    def learning(self) -> None:
        """From now on the model learns, and is not measured."""
        self.sharing.learning()

    def step(self, step: int, cuts: Sequence[Sequence[int]], config: dict[str, Any]) -> None:
        """One optimiser step. Raises Diverged, on all processes alike, as `training.loop.train`."""
        if step != self.state.step:
            raise HornbookError(f"step {step} was to be taken after {self.state.step}: lost count")
        loop = LoopConfig.parse(config, "the order")
        self.state.cuts = [Cut(*cut) for cut in cuts]

        if self.problem.writes(self.state, loop):
            self.show()

        def gradient(state: TrainState) -> tuple[float, int]:
            batch = self.problem.batch(state, loop)
            return shared_gradient(self.sharing, batch, loop, self.team, state.step)

        advance(self.state, loop, gradient)
        self.sharing.finish(self.problem.after_step, self.state)

    def score(self) -> dict[str, float]:
        """Measure the model as it is now, each process a part."""
        self.show()
        with together(self.team):
            return self.problem.score()

    def show(self) -> None:
        """Let the problem's own model have the weights of now."""
        self.sharing.show()

    def resize(self, size: int) -> None:
        """Take steps of another size."""
        self.problem.resize(size)

    def compile(self, undo: bool) -> None:
        """Compile the layers, or no longer."""
        self.sharing.compile(undo)

    def write(self, path: str) -> Written:
        """Begin to write this process's part of a checkpoint; who leads has waited for the one
        before."""
        if not self.team.leads:
            self.written()
        self.written = self.sharing.write(Path(path), self.state)
        return self.written

    def restore(self, path: str) -> None:
        """Take back what a checkpoint holds. Raises HornbookError where it cannot be read here."""
        fault = self.sharing.read(Path(path), self.state)
        if fault or (fault := counters(Path(path), self.state)):
            raise HornbookError(f"{path} cannot be read here: {fault}.")
