"""The training loop with what every run does besides: log, validate, sample, save, stop."""

import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hornbook.core.clock import Clock
from hornbook.core.metrics import MetricsLog
from hornbook.core.threads import own, use
from hornbook.training.checkpoint import Saver, kept_steps
from hornbook.training.forecast import part_of_step
from hornbook.training.hooks import StopRequest, every, log_to, record, remarked, stop_when
from hornbook.training.keep_best import KeepBest, NothingBetter
from hornbook.training.loop import Hook
from hornbook.training.pace import Pace, Threads
from hornbook.training.problem import Problem
from hornbook.training.schedule import last_step
from hornbook.training.state import TrainState
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.recipe import MOST_EVALUATIONS, Recipe

_CHECKPOINTS, _SAVING = 12, 0.03
"""How many there are in a run, at most, and what of its minutes writing them may take."""


class Trained(NamedTuple):
    """state: at the end. best_step: of the weights that it holds. stopped: it ended early, as
    nothing better came."""

    state: TrainState
    best_step: int
    stopped: bool


def evaluation_steps(steps: int, evaluations: int) -> int:
    """After how many steps a run of `steps` steps is evaluated, each time."""
    return -(-steps // evaluations)


def sparing(save: Hook, clock: Clock) -> Hook:
    """Leave out what would take more than a few percent of the time since it was done last."""
    since, took_s = time.monotonic(), 0.0

    def hook(state: TrainState) -> None:
        nonlocal since, took_s
        began = time.monotonic()
        if clock.limited and _SAVING * (began - since) < took_s:
            return
        save(state)
        since = time.monotonic()
        took_s = since - began

    return hook


def train_run(
    recipe: Recipe,
    problem: Problem,
    state: TrainState,
    clock: Clock,
    place: Place,
    command: str,
    whole: Path | None = None,
) -> Trained:
    """Go from `state.step` to the recipe's last step, or to where nothing better comes.

    clock: of the training alone. command: what goes on with a stopped run. whole: the folder of the
    run of which this one is a part, if so. Raises Interrupted after Ctrl-C, all saved.
    """
    run, say = place.folder, place.progress.say
    steps, loop = recipe.loop.steps, recipe.loop
    every_so_often = evaluation_steps(steps, recipe.evaluations)
    said_every = -(-recipe.evaluations // MOST_EVALUATIONS)
    metrics, samples = MetricsLog(run / layout.METRICS), MetricsLog(run / layout.SAMPLES)
    metrics.rewind(state.step)
    samples.rewind(state.step)
    best = None
    if problem.patience is not None:
        best = KeepBest(run / layout.BEST, layout.SAVED, problem.patience * every_so_often)
        if best.measure is None and problem.untrained is not None:
            best.offer(state, problem.untrained)

    def evaluate(state: TrainState) -> dict[str, Any]:
        figures = problem.score()
        better = best is not None and best.offer(state, figures[problem.measure])
        last = last_step(steps, state.cuts)
        if state.step % (every_so_often * said_every) == 0 or state.step == last:
            line = f"  step {state.step:>6} of {last}: {problem.said(figures)}"
            say(f"{line}, the best so far" if better else line)
        return figures

    def sample(state: TrainState) -> dict[str, Any] | None:
        found = remarked(lambda: problem.sample(state.step))
        if found:
            say(*problem.shown(found))
        return found

    saver = Saver()

    def save(state: TrainState) -> None:
        saver.save(run / layout.CHECKPOINTS, state)

    def save_at_once(state: TrainState) -> None:
        save(state)
        saver.wait()

    kept = kept_steps(steps, recipe.request.keep) if recipe.request.keep else set()

    def keep(state: TrainState) -> None:
        if state.step in kept:
            saver.save(run / layout.KEPT, state, kept=None)

    def shortened(state: TrainState, step_s: float) -> None:
        ends = state.cuts[-1].steps
        metrics.append(state.step, kind="shortened", steps=ends, step_s=round(step_s, 4))
        save_at_once(state)  # a resumed run must know it
        say(
            f"  step {state.step:>6}: a step takes {step_s:.2f} s by now; the run ends at step "
            f"{ends:,} instead of {steps:,}, so that it ends in time."
        )

    def changed(state: TrainState) -> None:
        count = state.threads[-1][1]
        metrics.append(state.step, kind="threads", threads=count)
        save_at_once(state)  # the bits depend on it
        say(f"  step {state.step:>6}: faster now with threads = {count}")

    if state.threads:
        use(state.threads[-1][1])
    most = own() if loop.device == "cpu" and not place.team else 1
    request = StopRequest()
    hooks: list[Hook] = [
        *problem.after_step,
        *([best.check] if best else []),
        Pace(clock, steps, state, shortened),
        Threads(clock, most, torch.get_num_threads(), partial(part_of_step, problem), changed),
        every(max(1, steps // 400), steps, log_to(metrics)),
        every(every_so_often, steps, record(metrics, "validation", evaluate)),
    ]
    if recipe.samples:
        hooks.append(every(-(-steps // recipe.samples), steps, record(samples, "sample", sample)))
    hooks += [keep, every(-(-steps // _CHECKPOINTS), steps, sparing(save, clock))]
    goes_on = f"hornbook {command} --out {whole or run} --resume"
    hooks.append(stop_when(request, save_at_once, goes_on))
    stopped, bar = False, place.progress.bar("training", steps - state.step, "steps")
    with request.listening(), bar as advance, saver:
        hooks.append(lambda state: advance(1))
        try:
            problem.learn(state, loop, hooks)
        except NothingBetter:
            stopped = True
    if best is None:
        return Trained(state, state.step, stopped)
    if stopped:
        say(f"Stopped at step {state.step}: nothing better since step {best.step}.")
    best.restore(state)
    return Trained(state, best.step, stopped)
