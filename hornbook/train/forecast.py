"""The forecast: what a run will take and reach, from a rehearsal of a few seconds.

The rehearsal trains the real model on the real data for a few steps, with a schedule of its own
that ends at zero. Where it ends, and a law for how runs of this kind go on, give the forecast.
Knows the loop; knows nothing of reports or folders.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from hornbook.core.config import Config
from hornbook.core.lines import first_line
from hornbook.core.machine import Machine, peak_memory_bytes
from hornbook.train.loop import Batches, LoopConfig, train
from hornbook.train.objective import Objective
from hornbook.train.precision import compile_layers
from hornbook.train.state import TrainState


class Law(NamedTuple):
    """Runs that end their schedule after n steps reach a score of about n^-slope.

    spread: standard deviation of the slope between data, model sizes and lengths.
    """

    slope: float
    spread: float


LAWS = {
    "bits_per_byte": Law(0.11, 0.03),
    "nats_per_token": Law(0.34, 0.05),
    "error": Law(0.22, 0.04),
}
"""By what is measured, fitted to the runs in docs/log.md ("forecast"). Lower is better in all."""


class Forecast(Config):
    """What is expected before the start; the report sets what came of it beside it.

    measure: of LAWS. score, low, high: of it, with the 90 % interval. targets: what is learned
    from in all: tokens or labels. epochs: how often each of them is seen. seconds: of training,
    hooks included.
    """

    measure: str
    steps: int
    targets: int
    epochs: float
    seconds: float
    peak_bytes: int
    disk_bytes: int
    score: float
    low: float
    high: float


class Rehearsal(NamedTuple):
    """What was measured before the start.

    steps, targets, score: the short run, what it learned from and what it reached. step_s: seconds
    of an optimiser step as the run will do it. compiled: whether kernels are compiled; reason: why
    or why not.
    """

    steps: int
    targets: int
    score: float
    step_s: float
    compiled: bool
    reason: str


class Run(NamedTuple):
    """What is rehearsed: `fresh` gives the model new weights and an optimiser.

    measure, score: what is measured, of LAWS, and the measuring. uncompilable: why the model's
    layers cannot be compiled, if so.
    """

    fresh: Callable[[], TrainState]
    objective: Objective
    batches: Batches
    measure: str
    score: Callable[[], float]
    machine: Machine
    uncompilable: str = ""


def rehearse(
    run: Run, config: LoopConfig, seconds: float | None, steps: int, compiled: bool | None
) -> Rehearsal:
    """Time steps, settle compilation, then train a sixteenth of the run to an end of its own.

    The run lasts `seconds`, or `steps` when that is None; config's own `steps` are ignored.
    compiled: the user's word, or None to measure.
    """
    plain_s = step_seconds(run, config, 3)
    seconds = steps * plain_s if seconds is None else seconds
    use, reason = settle_compilation(run, config, plain_s, seconds, compiled)
    step_s = step_seconds(run, config, 3) if use else plain_s
    short = int(min(max(seconds / 16 / step_s, 8), 400))
    state = run.fresh()
    train(state, run.objective, run.batches, config.model_copy(update={"steps": short}))
    return Rehearsal(short, state.tokens, run.score(), state.elapsed_s / short, use, reason)


def forecast(
    rehearsal: Rehearsal, measure: str, steps: int, epochs: float, seconds: float, disk_bytes: int
) -> Forecast:
    """Go on from the rehearsal by the measure's law; the interval grows with the distance."""
    law, distance = LAWS[measure], math.log(steps / rehearsal.steps)
    expected = rehearsal.score * math.exp(-law.slope * distance)
    spread = 1.645 * math.hypot(law.spread * distance, 0.01)
    return Forecast(
        measure=measure,
        steps=steps,
        targets=round(rehearsal.targets * steps / rehearsal.steps),
        epochs=epochs,
        seconds=seconds,
        peak_bytes=peak_memory_bytes(),
        disk_bytes=disk_bytes,
        score=expected,
        low=expected * math.exp(-spread),
        high=expected * math.exp(spread),
    )


def settle_compilation(
    run: Run, config: LoopConfig, plain_s: float, seconds: float, wanted: bool | None
) -> tuple[bool, str]:
    """Compile the model's layers if that pays within `seconds` of training; say why or why not."""
    if wanted is False:
        return False, "you said no"
    if run.uncompilable:
        return False, run.uncompilable
    if not run.machine.compiler:
        return False, "this machine has no C++ compiler"
    if wanted is None and seconds < 60:
        return False, "the run is too short to earn back the compilation"
    state = run.fresh()
    compile_layers(state.model.get_submodule("stack"))
    start = time.perf_counter()
    try:
        _train_steps(run, config, state, 1)
    except torch._dynamo.exc.TorchDynamoException as error:
        compile_layers(state.model.get_submodule("stack"), undo=True)
        return False, f"torch.compile failed here: {first_line(str(error))}"
    cost_s = time.perf_counter() - start - plain_s
    compiled_s = step_seconds(run, config, 2)
    figures = f"{plain_s:.3f} s a step plain, {compiled_s:.3f} s compiled after {cost_s:.0f} s"
    # The cost is paid by now, here; what counts is whether the steps are faster from now on.
    if wanted or compiled_s < 0.97 * plain_s:
        return True, figures
    compile_layers(state.model.get_submodule("stack"), undo=True)
    return False, figures


def step_seconds(run: Run, config: LoopConfig, steps: int) -> float:
    """Seconds of the fastest of a few steps."""
    state, seconds = run.fresh(), []
    for _ in range(steps):
        before = state.elapsed_s
        _train_steps(run, config, state, 1)
        seconds.append(state.elapsed_s - before)
    return min(seconds)


def _train_steps(run: Run, config: LoopConfig, state: TrainState, more: int) -> None:
    config = config.model_copy(update={"steps": state.step + more})
    train(state, run.objective, run.batches, config)
