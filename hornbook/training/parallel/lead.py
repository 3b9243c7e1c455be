"""Leading and following: a problem whose steps are taken by all processes, and who takes them too.

To whatever settles and trains a run, a led problem is a problem like any other.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from hornbook.batches.batch import AnyBatch
from hornbook.core.errors import HornbookError
from hornbook.core.signals import STOPPING
from hornbook.training.choices import Choice, replaced
from hornbook.training.loop import Batches, Diverged, Hook, LoopConfig, go
from hornbook.training.parallel.hands import Hands
from hornbook.training.parallel.team import Team, contact, lost_contact
from hornbook.training.problem import Problem
from hornbook.training.state import TrainState, Written

_END, _PREPARE = "end", "prepare"


class LedProblem:
    """A problem of which all processes do the work, this one leading. What it does not know itself
    is asked of the problem."""

    after_step: Sequence[Hook] = ()  # `Hands.step` does it

    def __init__(self, problem: Problem, team: Team, sharded: bool) -> None:
        self.alone: Problem
        vars(self).update(_hands=Hands(problem, team, sharded), alone=problem)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.alone, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.alone, name, value)

    def _all(self, order: str, **given: Any) -> Any:
        """Let all do it, this process too."""
        self._hands.team.tell({"do": order, **given})
        return getattr(self._hands, order)(**given)

    @property
    def batches(self) -> Batches:
        """This process's part of them: what is timed on it says how long all take."""
        return _ShareOfRows(self.alone.batches, self._hands.team.world)

    def begin(self) -> TrainState:
        self._all("begin")
        state: TrainState = self._hands.state
        state.files = _Together(self)
        return state

    def learn(self, state: TrainState, config: LoopConfig, hooks: Sequence[Hook] = ()) -> None:
        assert state is self._hands.state, "there is one training at a time"
        plain = config.plain()

        def step() -> None:
            self._all("step", step=state.step, cuts=[list(cut) for cut in state.cuts], config=plain)

        self._all("learning")
        go(state, config, hooks, step)
        self._all("show")

    def score(self) -> dict[str, float]:
        found: dict[str, float] = self._all("score")
        return found

    def sample(self, seed: int) -> dict[str, Any] | None:
        self._all("show")
        found: dict[str, Any] | None = self.alone.sample(seed)
        return found

    def resize(self, size: int) -> None:
        self._all("resize", size=size)

    def shrink(self, size: int, reason: str) -> None:
        self.resize(size)
        problem = self.alone
        problem.choices = replaced(problem.choices, Choice(problem.step_size, size, reason))

    def compile(self, undo: bool = False) -> None:
        self._all("compile", undo=undo)

    @property
    def copy_bytes(self) -> int:
        """Of a checkpoint, in the memory of this process while it is written and training goes on:
        of what it holds of the weights and their moments, once steps were taken."""
        optimiser = self._hands.state.optimiser
        tensors = (*optimiser.names, *optimiser.state().values())
        return sum(getattr(one, "to_local", lambda one=one: one)().nbytes for one in tensors)

    def ending_s(self, score_s: float) -> float:
        """The end is measured by this process alone."""
        seconds: float = self.alone.ending_s(score_s * self._hands.team.world)
        return seconds


class _Together:
    """The tensors of a checkpoint, which all processes write and read."""

    def __init__(self, problem: LedProblem) -> None:
        self._problem = problem

    def write(self, folder: Path, state: TrainState) -> Written:
        written: Written = self._problem._all("write", path=str(folder.absolute()))
        return written

    def read(self, folder: Path, state: TrainState) -> str | None:
        self._problem._all("restore", path=str(folder.absolute()))
        return None


class _ShareOfRows:
    """As many rows of each batch as one of `world` processes computes."""

    def __init__(self, batches: Batches, world: int) -> None:
        self._batches, self._world = batches, world

    def batch(self, step: int) -> AnyBatch:
        batch = self._batches.batch(step)
        return next(batch.split(-(-sum(1 for _ in batch.split(1)) // self._world)))


def led(problem: Problem, team: Team, sharded: bool, given: dict[str, Any]) -> Problem:
    """The problem, with whose work the others help from now on. sharded: see `plans.Sharded`.
    given: what they prepare it by."""
    team.tell({"do": _PREPARE, "sharded": sharded, "given": given})
    team.meet()
    return cast(Problem, LedProblem(problem, team, sharded))


def alone(problem: Any) -> Any:
    """The problem itself: for what one process does."""
    return problem.alone if isinstance(problem, LedProblem) else problem


def follow(team: Team, prepare: Callable[..., Problem]) -> NoReturn:
    """Do what the leader says until it says that it is over; then this process ends. prepare: the
    problem, by what the leader gives. Whoever asks to stop is answered by the leader."""
    if threading.current_thread() is threading.main_thread():
        for kind in STOPPING:
            signal.signal(kind, signal.SIG_IGN)
    hands: Hands | None = None
    while (name := (order := team.told()).pop("do")) != _END:
        if name == _PREPARE:
            hands = Hands(prepare(**order["given"]), team, order["sharded"])
            team.meet()
        else:
            with contextlib.suppress(Diverged):  # the leader says it
                getattr(hands, name)(**order)
    if hands is not None:
        hands.written()
    raise SystemExit(0)


@contextlib.contextmanager
def company() -> Iterator[Team | None]:
    """The team that this process belongs to, or None; contact is over afterwards.

    A process that ends by a fault tells the others why, and the leader says it. Raises
    HornbookError with the reason where another process ended.
    """
    if (team := contact()) is None:
        yield None
        return
    try:
        yield team
        team.tell({"do": _END})
    except BaseException as error:
        if isinstance(error, SystemExit):  # a helper that was told that it is over
            raise
        if (found := _ended(team, error)) is error:
            raise
        raise found from error
    finally:
        team.leave()


def _ended(team: Team, error: BaseException) -> BaseException:
    """What this process ends with; the others are told why."""
    if not lost_contact(error):
        team.failed(f"{error}" or type(error).__name__)
        silent = isinstance(error, _EXPECTED) and not team.leads
        return SystemExit(1) if silent else error
    said = team.said()
    if said is not None and not team.leads:
        return SystemExit(1)  # another one says it
    if said is not None and said.reason:
        return HornbookError(f"Process {said.rank} failed: {said.reason}")
    team.failed("")
    return HornbookError(
        "A process of this run ended without a word: it was killed, or its machine is gone. "
        "The same command with --resume goes on from the last checkpoint."
    )


_EXPECTED = (HornbookError, OSError, MemoryError)
"""What a user can do something about, and the leader tells; faults of ours keep their traceback."""
