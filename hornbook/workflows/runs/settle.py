"""What every run settles before its first step: the machine, compilation, how many steps, forecast.

`rehearsed` is how most kinds do it; knows a problem, and nothing of families or data.
"""

import math
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol

from torch import nn

from hornbook.core.clock import OVERTIME, Clock
from hornbook.core.files import require_space
from hornbook.core.machine import Machine, measure_machine, pick_device
from hornbook.core.threads import faster, use
from hornbook.training.checkpoint import KEPT, trainable
from hornbook.training.forecast import (
    Forecast,
    Rehearsal,
    forecast,
    gradient_seconds,
    part_of_step,
    rehearse,
)
from hornbook.training.loop import LoopConfig
from hornbook.training.measures import MEASURES
from hornbook.training.optimiser import is_hidden_matrix
from hornbook.training.parallel.lead import LedProblem
from hornbook.training.problem import Problem
from hornbook.workflows.runs.ledger import Likeness, learned
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.recipe import (
    MOST_EVALUATIONS,
    MOST_SAMPLES,
    Recipe,
    RehearsedRequest,
)

_LEAST_SHARE, _SPARE = 0.3, 0.1
"""Of the minutes given, what is left for training however long the preparations took, as far as the
minutes are kept all the same; and what is then kept free for what nobody foresaw."""
_WRITING = 0.02
"""Of the minutes, what writing the model and the report may take."""
_MEASURING, _LEAST_MEASURING = 0.2, 0.05
"""Of the minutes, what measuring at the end is given, and what it may take even where the time is
over; what would take longer is measured on less."""
_LEAST_STEPS = 40
"""A run of fewer steps learns next to nothing: better more of them with fewer rows."""
_TRYING = 0.03
"""Of the time that is left: after how much of it one thread is taken untried."""
_HOOKS, _SAMPLING = 0.06, 0.03
"""Of training, what evaluations, samples and checkpoints may take, and what of it samples may."""


class Settlement(NamedTuple):
    """The part of a recipe that is settled before the first step.

    machine: with the threads that are faster now. evaluations, samples: how many there are.
    training_s: seconds for the steps with all that is done between them; None for no limit.
    """

    machine: Machine
    loop: LoopConfig
    evaluations: int
    samples: int = 0
    compiled: bool = False
    compiled_reason: str = ""
    forecast: Forecast | None = None
    training_s: float | None = None


class Settle(Protocol):
    """How a kind of run finds its number of steps: `rehearsed`, or by its own measurements."""

    def __call__(
        self, problem: Any, machine: Machine, steps: int | None, request: Any, place: Place, /
    ) -> Settlement:
        """steps: as asked for, or None where minutes decide. May resize the problem's steps."""
        ...


def machine_for(known: Machine | None, device: str | None) -> Machine:
    """The machine as the recipe knows it, or measured now; torch uses the same threads.

    Raises as `pick_device` does where the recipe's is not here.
    """
    if known:
        pick_device(known.device)
    machine = known or measure_machine(device)
    use(machine.threads)
    return machine


def rehearsed(
    problem: Problem, machine: Machine, steps: int | None, request: RehearsedRequest, place: Place
) -> Settlement:
    """Rehearse, forecast and fix the number of steps, so that the schedule knows its end.

    Raises HornbookError when the disk cannot hold the run.
    """
    clock, say = place.clock, place.progress.say
    machine, _ = in_time(problem, machine, place)
    say("Rehearsing: timing steps, settling compilation, training a sixteenth ...")
    seconds = clock.left_s() if clock.limited else None
    rehearsal = rehearse(
        problem, machine, seconds, steps or 0, request.compiled, place.rehearsing_s
    )
    ending_s = min(problem.ending_s(rehearsal.score_s), _MEASURING * clock.given_s)
    training_s = training_seconds(clock, ending_s)
    evaluations, samples, hooks_s = _evaluations(rehearsal, training_s)
    if steps is None:
        hooks_s = max(hooks_s, _HOOKS * training_s)
        steps = max(1, int((training_s - hooks_s) / rehearsal.step_s))
    expected = forecast(
        rehearsal,
        problem.measure,
        learned(Likeness.of(request, problem.plan, problem.measure)).fall,
        steps=steps,
        epochs=steps / problem.steps_per_epoch,
        seconds=steps * rehearsal.step_s + hooks_s,
        ending_s=ending_s,
        disk_bytes=disk_bytes(problem.model, request.keep) + problem.stored_bytes,
    )
    if isinstance(problem, LedProblem):
        most = expected.peak_bytes + problem.copy_bytes
        expected = expected.model_copy(update={"peak_bytes": most})
    # One more checkpoint is written before the oldest goes.
    require_space(place.folder, 2 * expected.disk_bytes, "A run with its checkpoints")
    return Settlement(
        machine=machine,
        loop=problem.loop.model_copy(update={"steps": steps}),
        evaluations=evaluations,
        samples=samples,
        compiled=rehearsal.compiled,
        compiled_reason=rehearsal.reason,
        forecast=expected,
        training_s=expected.seconds if request.minutes else None,
    )


def in_time(problem: Problem, machine: Machine, place: Place) -> tuple[Machine, float]:
    """The machine with the threads that are faster now, and the seconds of a step without its
    update, after steps were made smaller where there would be time for too few of them.

    The seconds are 0, and nothing is tried, without a limit or where the user set a step's size.
    """
    clock, say = place.clock, place.progress.say
    machine = faster_threads(problem, machine, place)
    if problem.fixed or not clock.limited:
        return machine, 0.0
    most_s = max(0.0, clock.left_s()) / _LEAST_STEPS
    place.progress.doing("timing a step")
    step_s, before = gradient_seconds(problem, most_s), problem.size
    if most_s < step_s and before > 1:
        reason = f"more would leave time for fewer than {_LEAST_STEPS} steps here"
        problem.shrink(max(1, int(most_s / step_s * before)), reason)
        say(f"  {problem.step_size} = {problem.size}: {reason}")
    return machine, step_s * problem.size / before


def faster_threads(problem: Problem, machine: Machine, place: Place) -> Machine:
    """The machine with one thread or all of them, whichever is faster now, where minutes decide:
    whoever asks for steps gets the same bits at any time of the day. Of many processes each has the
    threads that its launcher gave it."""
    if not place.clock.limited or machine.device != "cpu" or place.team:
        return machine
    place.progress.doing("looking how many threads are faster")
    most_s = min(_TRYING * place.clock.left_s(), place.rehearsing_s)
    work = partial(part_of_step, problem, problem.begin())
    count = faster(work, machine.threads, most_s=most_s)
    if count < machine.threads:
        place.progress.say("  threads = 1: others use this machine, and one alone is faster now")
    return machine.model_copy(update={"threads": count})


def training_seconds(clock: Clock, ending_s: float) -> float:
    """What is left for training, hooks included."""
    if not clock.limited:
        return math.inf
    left_s = clock.left_s() - ending_s
    latest_s = (OVERTIME - _SPARE) * clock.given_s - clock.used_s() - ending_s
    least_s = min(_LEAST_SHARE * clock.given_s, latest_s)
    return max(0.0, left_s - _WRITING * clock.given_s, least_s)


def measuring_seconds(clock: Clock) -> float:
    """What measuring at the end may take by now; infinite without a limit."""
    left_s = clock.left_s() - _WRITING * clock.given_s
    return max(left_s, _LEAST_MEASURING * clock.given_s) if clock.limited else math.inf


def _evaluations(rehearsal: Rehearsal, training_s: float) -> tuple[int, int, float]:
    """How many evaluations and samples there is time for, and what they take together."""

    def affordable(share: float, each_s: float, most: int) -> int:
        room = share * training_s
        return most if most * each_s <= room else max(1, int(room / each_s))

    evaluations = affordable(_HOOKS, rehearsal.score_s, MOST_EVALUATIONS)
    samples = affordable(_SAMPLING, rehearsal.sample_s, MOST_SAMPLES)
    return evaluations, samples, evaluations * rehearsal.score_s + samples * rehearsal.sample_s


def announcement(recipe: Recipe, targets: str) -> list[str]:
    """What was settled and what is expected, before the first step. targets: what they are."""
    if (expected := recipe.forecast) is None:
        return []
    measure = MEASURES[expected.measure]
    low, high = measure.text(expected.low), measure.text(expected.high)
    return [
        f"  products in {recipe.loop.dtype}",
        f"  compiled: {'yes' if recipe.compiled else 'no'} ({recipe.compiled_reason})",
        f"Forecast: {expected.steps:,} steps, {expected.targets:,} {targets} "
        f"({expected.epochs:.1f} passes) in {expected.seconds:,.0f} s; "
        f"{expected.peak_bytes / 2**20:,.0f} MiB of memory, "
        f"{expected.disk_bytes / 2**20:,.0f} MiB of disk; "
        f"{measure.en} {measure.text(expected.score)} (80 % interval {low} to {high}).",
    ]


def disk_bytes(model: nn.Module, keep: int = 0) -> int:
    """The checkpoints that are there at the end, with Muon's one moment and AdamW's two of what
    moves, and the model. keep: checkpoints that stay besides the newest."""

    def size(weights: Iterable[nn.Parameter]) -> int:
        return sum(weight.numel() * weight.element_size() for weight in weights)

    moving = trainable(model)
    moved = size(weight for _, weight in moving)
    hidden = size(weight for name, weight in moving if is_hidden_matrix(name, weight))
    return (KEPT + keep) * (3 * moved - hidden) + size(model.parameters())
