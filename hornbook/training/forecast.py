"""The forecast: what a run will take and reach, from a rehearsal of a few seconds.

The rehearsal trains the real model on the real data for a few steps, with a schedule of its own
that ends at zero. Where it ends, and a law for how runs of this kind go on, give the forecast.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import torch

from hornbook.core.config import Config
from hornbook.core.lines import first_line
from hornbook.core.machine import Machine, peak_memory_bytes
from hornbook.core.threads import slowness
from hornbook.training.hooks import remarked
from hornbook.training.loop import gradient
from hornbook.training.measures import Fall
from hornbook.training.problem import Problem
from hornbook.training.state import TrainState

Found = TypeVar("Found")


class Forecast(Config):
    """What is expected before the start; the report sets what came of it beside it.

    measure: of MEASURES. score, low, high: of it, with the 80 % interval. targets: what is learned
    from in all: tokens or labels. epochs: how often each of them is seen. seconds: of training,
    hooks included. ending_s: of measuring and writing afterwards. rehearsed_steps, rehearsed_score:
    of the rehearsal that it goes on from; 0 where a recipe of before does not say it.
    """

    measure: str
    steps: int
    targets: int
    epochs: float
    seconds: float
    ending_s: float = 0.0
    peak_bytes: int
    disk_bytes: int
    score: float
    low: float
    high: float
    rehearsed_steps: int = 0
    rehearsed_score: float = 0.0


class Rehearsal(NamedTuple):
    """What was measured before the start.

    steps, targets, score: the short run, what it learned from and what it reached. step_s: seconds
    of an optimiser step as the run will do it. compiled: whether kernels are compiled; reason: why
    or why not. score_s, sample_s: seconds of measuring once, and of a sample.
    """

    steps: int
    targets: int
    score: float
    step_s: float
    compiled: bool
    reason: str
    score_s: float = 0.0
    sample_s: float = 0.0


_NOISE = 1.01
"""What a score may be off for the part of the data that it was measured on."""
_REHEARSING, _TIMING = 1 / 8, 1 / 50
"""Of the time, what the short run and a timing of steps may take where steps are long."""
_SHORT, _SHORTEST = 8, 2
"""Steps of the short run: at least, and at least where steps are long."""


def rehearse(
    problem: Problem,
    machine: Machine,
    seconds: float | None,
    steps: int,
    compiled: bool | None,
    most_s: float = math.inf,
) -> Rehearsal:
    """Time steps, settle compilation, then train a sixteenth of the run to an end of its own.

    The run lasts `seconds`, or `steps` when that is None. compiled: the user's word, or None to
    measure. most_s: what the short run may take, whatever it is a sixteenth of; compilation is not
    tried then.
    """
    if compiled is None and most_s < _COMPILING_S:
        compiled = False
    timing_s = math.inf if seconds is None else _TIMING * seconds
    plain_s = step_seconds(problem, 3, timing_s)
    least = _SHORT if seconds is None else min(_SHORT, int(_REHEARSING * seconds / plain_s))
    seconds = steps * plain_s if seconds is None else seconds
    use, reason = settle_compilation(problem, machine, plain_s, seconds, compiled)
    step_s = step_seconds(problem, 3, timing_s) if use else plain_s
    short = int(min(max(min(seconds / 16, most_s) / step_s, least, _SHORTEST), 400))
    state = problem.begin()
    _train_steps(problem, state, short)
    figures, score_s = timed(problem.score)
    score = problem.score_at_end(figures)
    sample_s = timed(lambda: remarked(lambda: problem.sample(0)))[1]
    step_s = state.elapsed_s / short
    return Rehearsal(short, state.tokens, score, step_s, use, reason, score_s, sample_s)


def timed(work: Callable[[], Found]) -> tuple[Found, float]:
    """What `work` gives, and the seconds it takes."""
    began = time.monotonic()
    found = work()
    return found, time.monotonic() - began


def forecast(
    rehearsal: Rehearsal,
    measure: str,
    fall: Fall,
    *,
    steps: int,
    epochs: float,
    seconds: float,
    ending_s: float,
    disk_bytes: int,
) -> Forecast:
    """Go on from the rehearsal by the measure's law; the interval grows with the distance."""
    distance = math.log(steps / rehearsal.steps)

    def score(slope: float) -> float:
        return rehearsal.score * math.exp(-slope * distance)

    bounds = score(fall.low), score(fall.high)
    return Forecast(
        measure=measure,
        steps=steps,
        targets=round(rehearsal.targets * steps / rehearsal.steps),
        epochs=epochs,
        seconds=seconds,
        ending_s=ending_s,
        peak_bytes=peak_memory_bytes(),
        disk_bytes=disk_bytes,
        score=score(fall.middle),
        low=min(bounds) / _NOISE,
        high=max(bounds) * _NOISE,
        rehearsed_steps=rehearsal.steps,
        rehearsed_score=rehearsal.score,
    )


_COMPILING_S = 60
"""A run of so many seconds may earn back a compilation."""


def settle_compilation(
    problem: Problem, machine: Machine, plain_s: float, seconds: float, wanted: bool | None
) -> tuple[bool, str]:
    """Compile the model's layers if that pays within `seconds` of training; say why or why not."""
    if wanted is False:
        return False, "you said no"
    if problem.uncompilable:
        return False, problem.uncompilable
    if not machine.compiler:
        return False, "this machine has no C++ compiler"
    if wanted is None and seconds < _COMPILING_S:
        return False, "the run is too short to earn back the compilation"
    if wanted is None and seconds < _COMPILING_S * (busy := slowness()):
        return False, f"others use this machine: compiling would take {busy:.1f} times as long"
    state = problem.begin()
    problem.compile()
    start = time.perf_counter()
    try:
        _train_steps(problem, state, 1)
    except torch._dynamo.exc.TorchDynamoException as error:
        problem.compile(undo=True)
        return False, f"torch.compile failed here: {first_line(str(error))}"
    cost_s = time.perf_counter() - start - plain_s
    compiled_s = step_seconds(problem, 2)
    figures = f"{plain_s:.3f} s a step plain, {compiled_s:.3f} s compiled after {cost_s:.0f} s"
    # The cost is paid by now, here; what counts is whether the steps are faster from now on.
    if wanted or compiled_s < 0.97 * plain_s:
        return True, figures
    problem.compile(undo=True)
    return False, figures


def step_seconds(problem: Problem, steps: int, most_s: float = math.inf) -> float:
    """Seconds of the fastest of a few steps; after `most_s` no more are taken."""
    state, seconds = problem.begin(), list[float]()
    while len(seconds) < steps and (not seconds or state.elapsed_s < most_s):
        before = state.elapsed_s
        _train_steps(problem, state, 1)
        seconds.append(state.elapsed_s - before)
    return min(seconds)


def part_of_step(problem: Problem, state: TrainState) -> None:
    """An eighth of the gradient of the step that comes; nothing of it is kept."""
    batch = problem.batches.batch(state.step)
    part = next(batch.split(max(1, sum(1 for _ in batch.split(1)) // 8)))
    state.model.train()
    gradient(state.model, problem.objective, part, problem.loop)
    state.optimiser.clear_gradient()


_FAR = 4
"""Times a step's time: what takes longer is known well enough."""


def gradient_seconds(problem: Problem, most_s: float) -> float:
    """Seconds of a step without its update: the weights stay where they are.

    An eighth of the rows is computed first, then twice as much each time; where that takes more
    than `most_s`, the rest is reckoned: a step that is far too long is never computed whole. Nor is
    a row computed twice that takes several times as long.
    """
    state = problem.begin()
    state.model.train()
    # What a batch needs is asked for in it: preferences ask their reference.
    batch, asking_s = timed(lambda: problem.batches.batch(0))

    def seconds(rows: int) -> float:
        part = next(batch.split(rows))
        took_s = timed(lambda: gradient(state.model, problem.objective, part, problem.loop))[1]
        state.optimiser.clear_gradient()
        return took_s

    rows = sum(1 for _ in batch.split(1))
    first_s = seconds(1)  # kernels are prepared in it
    if first_s > _FAR * most_s:
        return asking_s + first_s * rows
    tried = max(1, rows // 8)
    while True:
        took_s = seconds(tried)
        if tried >= rows or took_s > most_s:
            return asking_s + took_s * rows / tried
        tried = min(rows, 2 * tried)


def _train_steps(problem: Problem, state: TrainState, more: int) -> None:
    config = problem.loop.model_copy(update={"steps": state.step + more})
    problem.learn(state, config)
