"""How many steps a classifier's training has: timed, not rehearsed, and what else time decides.

Which texts are looked at, how many a backbone that stays reads, how many rows a step has: all of it
follows from what reading a text and taking a step take here.
"""

import copy
import math
from typing import Any

import numpy as np
import torch

from hornbook.batches.labelled import LabelledBatch, LabelledTexts, LabelledVectors
from hornbook.core.clock import Clock
from hornbook.core.errors import HornbookError
from hornbook.core.files import require_space
from hornbook.core.machine import Machine
from hornbook.training.checkpoint import trainable
from hornbook.training.forecast import step_seconds, timed
from hornbook.workflows.projects.labels.problem import HeadProblem, LabelsProblem
from hornbook.workflows.projects.labels.request import LabelsRequest
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.settle import Settlement, disk_bytes, faster_threads

_LOOKS_A_PASS, _LEAST_LOOKS = 2, 4
_PATIENCE, _LEAST_PATIENCE = 1 / 2, 4
"""Evaluations in a row without a better one that end the training: a share of all, and at least."""
_TIMED, _TIMING = 4, 0.03
"""Steps that are timed, and what of the minutes that may take."""
_LEFT = 0.9
"""Of the minutes, what steps and evaluations may fill."""
_SAVING = 0.05
"""Of training, what checkpoints take at most: `runs.loop` is sparing with them."""
_LEAST_LOOKED, _LOOKING = 50, 0.25
"""Validation texts looked at however little time there is; the share of the minutes for it."""
_ANSWERING, _MEASURING = 0.4, 0.2
"""Of what is left, the most that is kept for reading the caller's texts afterwards, all of which
are wanted, and test texts, of which some will do."""
_FEWEST_ROWS, _FEWEST_STEPS, _TRAINED = 4, 40, 3
"""Texts a step at least, where time is short; steps for which texts a step become fewer; and how
many times as long as reading a text learning from it takes."""
_PASSES = 2
"""Over all texts, with which steps are enough however few they are."""
_PROBED = 16
"""Validation texts read to learn how long one takes."""
_SIZED = 200
"""Batches looked at to see which are of a usual size."""


def settle(
    problem: LabelsProblem,
    machine: Machine,
    steps: int | None,
    request: LabelsRequest,
    place: Place,
) -> Settlement:
    """As many steps as the passes have, or as there is time for.

    Raises HornbookError where that is fewer than the least number of them.
    """
    machine = faster_threads(problem, machine, place)
    text_s = _text_seconds(problem, place.clock)
    clock = _without(place.clock, text_s * request.answering, _ANSWERING)
    clock = _without(clock, text_s * len(problem.splits.test), _MEASURING)
    if not isinstance(problem, HeadProblem):
        _take_fewer_rows(problem, text_s, clock)
    problem.look_at(_affordable_looks(problem, text_s, clock))
    problem.gather(clock, place)
    pass_steps = problem.steps_per_epoch
    steps, training_s = max(1, round(request.epochs * pass_steps)), None
    if clock.limited:
        step_s = _step_seconds(problem, _TIMING * clock.left_s())
        # The validation texts are read once more at the end, to calibrate.
        training_s = max(0.0, clock.left_s(_LEFT) - text_s * len(problem.validation.labels))
        steps_s = (1 - _SAVING) * training_s
        fit_in = _fitting(steps_s, step_s, problem.look_s(text_s), pass_steps)
        least = min(steps, request.least_steps, _PASSES * pass_steps)
        if request.least_steps > 1 and fit_in < least:
            raise _too_little(max(0, int(fit_in)), pass_steps)
        steps = max(1, min(steps, int(fit_in)))
    size = disk_bytes(problem.classifier.model)
    require_space(place.folder, 2 * size, "A run with its checkpoints")
    every = max(1, min(math.ceil(pass_steps / _LOOKS_A_PASS), steps // _LEAST_LOOKS))
    evaluations = math.ceil(steps / every)
    problem.patience = max(_LEAST_PATIENCE, math.ceil(_PATIENCE * evaluations))
    problem.plan = problem.plan.model_copy(update={"patience": problem.patience})
    rows = problem.plan.rows
    place.progress.say(f"  {steps:,} steps of {rows} texts, {steps / pass_steps:.1f} passes")
    return Settlement(
        machine=machine,
        loop=problem.loop.model_copy(update={"steps": steps}),
        evaluations=evaluations,
        training_s=training_s if request.minutes else None,
    )


def _text_seconds(problem: LabelsProblem, clock: Clock) -> float:
    """What reading a text takes; 0 where nothing limits the time."""
    if not clock.limited:
        return 0.0
    probe = problem.validation.some(_PROBED).read.sequences
    problem.gathered(probe[:1])  # kernels are prepared in the first
    return timed(lambda: problem.gathered(probe))[1] / len(probe)


def _without(clock: Clock, later_s: float, share: float) -> Clock:
    """The same clock less what is done later, or a share of what is left."""
    if clock.minutes is None:
        return clock
    kept_s = min(later_s, share * max(0.0, clock.left_s()))
    return clock._replace(minutes=clock.minutes - kept_s / 60)


def _take_fewer_rows(problem: LabelsProblem, text_s: float, clock: Clock) -> None:
    """As many texts a step that there is time for some steps at all.

    Raises HornbookError where not even a few texts a step leave time for the least number of them.
    """
    if not clock.limited:
        return
    affordable = clock.left_s(_LEFT) / (_TRAINED * text_s)  # texts, in all steps
    least, texts, rows = problem.request.least_steps, len(problem.training.labels), problem.size
    if not problem.fixed:
        rows = min(rows, max(_FEWEST_ROWS, int(affordable / _FEWEST_STEPS)))
    if affordable < min(rows * least, _PASSES * texts) and least > 1:
        raise _too_little(max(0, int(affordable / rows)), texts / rows)
    if rows < problem.size:
        reason = f"more would leave time for fewer than {_FEWEST_STEPS} steps here"
        problem.shrink(rows, reason)


def _too_little(steps: int, pass_steps: float) -> HornbookError:
    return HornbookError(
        f"left out, as there is time for {steps:,} steps only, {steps / pass_steps:.2f} passes"
    )


def _affordable_looks(problem: LabelsProblem, text_s: float, clock: Clock) -> int:
    """Validation texts that all evaluations and the calibration have time for."""
    there = len(problem.validation.labels)
    if not clock.limited:
        return there
    share_s = _LOOKING * max(0.0, clock.left_s()) / (problem.least_looks + 1)
    return min(there, max(_LEAST_LOOKED, int(share_s / text_s)))


def _fitting(left_s: float, step_s: float, look_s: float, pass_steps: float) -> float:
    """Steps that there is time for, with the evaluations between them."""
    return min(
        (left_s - _LEAST_LOOKS * look_s) / step_s,
        left_s / (step_s + _LOOKS_A_PASS * look_s / pass_steps),
    )


def _step_seconds(problem: LabelsProblem, most_s: float) -> float:
    """Seconds of a step on batches of a usual size; the weights are as they were afterwards.

    The first is not counted: kernels are prepared in it, and it took six times as long as others.
    """
    kept = [(weight, weight.detach().clone()) for _, weight in trainable(problem.model)]
    tried: Any = copy.copy(problem)
    tried.batches = UsualBatches(problem.batches)
    step_seconds(tried, 1)
    found = step_seconds(tried, _TIMED, most_s)
    with torch.no_grad():
        for weight, before in kept:
            weight.copy_(before)
    return found


class UsualBatches:
    """Batches of the first pass, those first whose size is nearest to the mean.

    Batches of texts of one length differ in size by far: the first may be ten times another.
    """

    def __init__(self, batches: LabelledTexts | LabelledVectors) -> None:
        self._batches = batches
        count = max(1, int(batches.steps_per_epoch))
        steps = np.unique(np.linspace(0, count - 1, min(count, _SIZED)).astype(int))
        sizes = np.array([batches.batch(int(step)).inputs.numel() for step in steps])
        self._steps = steps[np.argsort(np.abs(sizes - sizes.mean()), kind="stable")]

    def batch(self, step: int) -> LabelledBatch:
        return self._batches.batch(int(self._steps[step % len(self._steps)]))
