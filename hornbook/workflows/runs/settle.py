"""What every run settles before its first step: the machine, compilation, how many steps, forecast.

Knows rehearsals and the run folder's disk; knows nothing of families or data.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from torch import nn

from hornbook.core.clock import OVERTIME, Clock
from hornbook.core.files import require_space
from hornbook.core.machine import Machine, measure_machine
from hornbook.core.progress import Progress
from hornbook.core.threads import faster, use
from hornbook.train.checkpoint import KEPT
from hornbook.train.choices import Choice
from hornbook.train.forecast import (
    Forecast,
    Rehearsal,
    Run,
    affordable_share,
    forecast,
    part_of_step,
    rehearse,
)
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import is_hidden_matrix
from hornbook.workflows.runs.folder import MOST_EVALUATIONS, MOST_SAMPLES, Recorded, Settled
from hornbook.workflows.runs.measures import MEASURES

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
_HOOKS, _SAMPLING = 0.06, 0.03
"""Of training, what evaluations, samples and checkpoints may take, and what of it samples may."""


class Budget(NamedTuple):
    """How long a run may take: until the clock's minutes are over, or so many steps.

    compiled: the user's word on torch.compile, or None to measure.
    """

    clock: Clock
    steps: int | None
    compiled: bool | None


class Settlement(NamedTuple):
    """The part of a recipe that a rehearsal settles. evaluations, samples: how many there are."""

    loop: LoopConfig
    compiled: bool
    compiled_reason: str
    forecast: Forecast
    evaluations: int
    samples: int


def machine_for(recipe: Recorded | None, device: str | None) -> Machine:
    """The machine as the recipe found it, or measured now; torch uses the same threads."""
    machine = recipe.machine if recipe else measure_machine(device)
    use(machine.threads)
    return machine


def threads_in_time(
    rehearsed: Run, loop: LoopConfig, machine: Machine, clock: Clock, progress: Progress
) -> Machine:
    """The machine with as many threads as are faster now, where others may use it too.

    Only where minutes are given: whoever asks for steps gets the same bits at any time of the day.
    """
    if not clock.limited or machine.device != "cpu":
        return machine
    state = rehearsed.fresh()
    work = partial(part_of_step, state, rehearsed.objective, rehearsed.batches, loop)
    return faster_threads(work, machine, progress)


def faster_threads(work: Callable[[], object], machine: Machine, progress: Progress) -> Machine:
    """The machine with one thread or all of them, whichever does `work` sooner now."""
    count = faster(work, machine.threads)
    if count < machine.threads:
        progress.say("  threads = 1: others use this machine, and one alone is faster now")
    return machine.model_copy(update={"threads": count})


def settle(
    run: Path,
    rehearsed: Run,
    loop: LoopConfig,
    budget: Budget,
    steps_per_epoch: float,
    progress: Progress,
) -> Settlement:
    """Rehearse, forecast and fix the number of steps, so that the schedule knows its end.

    loop: its steps are ignored. Raises HornbookError when the disk cannot hold the run.
    """
    progress.say("Rehearsing: timing steps, settling compilation, training a sixteenth ...")
    clock = budget.clock
    seconds = clock.left_s() if clock.limited else None
    rehearsal = rehearse(rehearsed, loop, seconds, budget.steps or 0, budget.compiled)
    ending_s = min(rehearsed.ending(rehearsal.score_s), _MEASURING * clock.given_s)
    training_s = training_seconds(clock, ending_s)
    evaluations, samples, hooks_s = _looks(rehearsal, training_s)
    steps = budget.steps
    if steps is None:
        hooks_s = max(hooks_s, _HOOKS * training_s)
        steps = max(1, int((training_s - hooks_s) / rehearsal.step_s))
    expected = forecast(
        rehearsal,
        rehearsed.measure,
        steps=steps,
        epochs=steps / steps_per_epoch,
        seconds=steps * rehearsal.step_s + hooks_s,
        ending_s=ending_s,
        disk_bytes=_disk_bytes(rehearsed.fresh().model),
    )
    # One more checkpoint is written before the oldest goes.
    require_space(run, 2 * expected.disk_bytes, "A run with its checkpoints")
    fixed = loop.model_copy(update={"steps": steps})
    reason = rehearsal.reason
    return Settlement(fixed, rehearsal.compiled, reason, expected, evaluations, samples)


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


def _looks(rehearsal: Rehearsal, training_s: float) -> tuple[int, int, float]:
    """How many evaluations and samples there is time for, and what they take together."""

    def affordable(share: float, each_s: float, most: int) -> int:
        room = share * training_s
        return most if most * each_s <= room else max(1, int(room / each_s))

    evaluations = affordable(_HOOKS, rehearsal.score_s, MOST_EVALUATIONS)
    samples = affordable(_SAMPLING, rehearsal.sample_s, MOST_SAMPLES)
    return evaluations, samples, evaluations * rehearsal.score_s + samples * rehearsal.sample_s


def step_in_time(rehearsed: Run, loop: LoopConfig, clock: Clock, wanted: bool, size: int) -> int:
    """The size of a step: this one (rows or tokens), or less where a step would take too long.

    wanted: the user set it, and it stays.
    """
    if wanted or not clock.limited:
        return size
    most_s = max(0.0, clock.left_s()) / _LEAST_STEPS
    return max(1, int(affordable_share(rehearsed, loop, most_s) * size))


def smaller(name: str, size: int, progress: Progress) -> Choice:
    """The choice of a smaller step, and it is said."""
    choice = Choice(name, size, f"more would leave time for fewer than {_LEAST_STEPS} steps here")
    progress.say(f"  {name} = {size}: {choice.reason}")
    return choice


def announcement(settled: Settled, targets: str) -> list[str]:
    """What was settled and what is expected, before the first step. targets: what they are."""
    expected, measure = settled.forecast, MEASURES[settled.forecast.measure]
    low, high = measure.text(expected.low), measure.text(expected.high)
    return [
        f"  products in {settled.loop.dtype}",
        f"  compiled: {'yes' if settled.compiled else 'no'} ({settled.compiled_reason})",
        f"Forecast: {expected.steps:,} steps, {expected.targets:,} {targets} "
        f"({expected.epochs:.1f} passes) in {expected.seconds:,.0f} s; "
        f"{expected.peak_bytes / 2**20:,.0f} MiB of memory, "
        f"{expected.disk_bytes / 2**20:,.0f} MiB of disk; "
        f"{measure.en} {measure.text(expected.score)} (90 % interval {low} to {high}).",
    ]


def _disk_bytes(model: nn.Module) -> int:
    """The checkpoints that are kept, with Muon's one moment and AdamW's two, and the model."""
    named = list(model.named_parameters())
    weights = sum(w.numel() * w.element_size() for _, w in named)
    hidden = sum(w.numel() * w.element_size() for n, w in named if is_hidden_matrix(n, w))
    return KEPT * (weights + hidden + 2 * (weights - hidden)) + weights
