"""Room: memory for the largest step, and disk for what is written."""

import shutil
from pathlib import Path
from typing import Any

from hornbook.core.machine import memory_bytes, peak_memory_bytes
from hornbook.training.loop import gradient
from hornbook.training.problem import Problem
from hornbook.workflows.doctor.diagnosis import (
    Diagnosis,
    check,
    doubtful,
    faulty,
    sound,
)
from hornbook.workflows.doctor.looking import first_batches
from hornbook.workflows.doctor.subject import Subject, weights_kept
from hornbook.workflows.runs.settle import disk_bytes

_STEPS = 100
_HIGH = 0.8
"""Of the memory: from here on another program is enough for the system to end the run."""
_LITTLE = 2**30
"""Bytes free below which little can be done."""


@check("memory", "The largest step fits into memory", "problem", turn=0)
def memory(subject: Subject) -> Diagnosis:
    """The longest samples first: what fits then fits always."""
    problem = subject.problem
    assert problem is not None
    peak, tokens = measured_peak(problem)
    have = device_bytes(problem.loop.device)
    shown = f"{peak / 2**20:,.0f} of {have / 2**20:,.0f} MiB"
    if peak > have:
        return faulty(
            f"the largest step, of {tokens:,} values, needs about {shown}",
            "Lower --micro-rows, --context or the model's size.",
        )
    if peak > _HIGH * have:
        return doubtful(
            f"the largest step, of {tokens:,} values, takes {shown}",
            "Lower --micro-rows, or close other programs before you start.",
        )
    return sound(f"the largest step, of {tokens:,} values, takes {shown}")


def measured_peak(problem: Problem) -> tuple[int, int]:
    """The most memory that a step takes, in bytes, and the values in its largest part.

    The largest part of the first steps is computed, with an update that moves nothing; where one
    row of it says that there is no room for all, the rest is reckoned.
    """
    largest = max(
        (
            part
            for batch in first_batches(problem, _STEPS)
            for part in batch.split(problem.loop.micro_rows)
        ),
        key=values_of,
    )
    device = problem.loop.device
    with weights_kept(problem):
        before = peak_memory_bytes(device)
        state = problem.begin()
        rows = sum(1 for _ in largest.split(1))
        one = next(largest.split(1))
        gradient(state.model, problem.objective, one, problem.loop)
        state.optimiser.finish_gradient(1)
        state.optimiser.step(0.0)
        state.optimiser.clear_gradient()
        first = peak_memory_bytes(device)
        reckoned = first + (rows - 1) * max(0, first - before)
        if reckoned > 2 * device_bytes(device):
            return reckoned, values_of(largest)
        state.model.train()
        gradient(state.model, problem.objective, largest, problem.loop)
        state.optimiser.clear_gradient()
    return peak_memory_bytes(device), values_of(largest)


def values_of(part: Any) -> int:
    """How many values a part of a batch holds, those of batches in it too."""
    if isinstance(part, tuple):
        return sum(map(values_of, part))
    return part.numel() if hasattr(part, "numel") else 0


def device_bytes(device: str) -> int:
    """The memory of a device."""
    if device == "cuda":
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory)
    return memory_bytes()


@check("disk", "The disk has room", turn=0)
def disk(subject: Subject) -> Diagnosis:
    """For the model and its checkpoints, one of which is written before the oldest goes."""
    place = _existing(subject.place or Path.cwd())
    free = shutil.disk_usage(place).free
    need = 0
    if subject.problem is not None:
        assert subject.recipe is not None
        need = 2 * disk_bytes(subject.problem.model, subject.recipe.request.keep)
    shown = f"{need / 2**20:,.0f} MiB are needed, {free / 2**20:,.0f} MiB are free"
    if need > free:
        return faulty(shown, "Make room, or name an --out on another disk.")
    if free - need < _LITTLE:
        return doubtful(shown, "Make room: little is left beside the run.")
    return sound(shown)


def _existing(place: Path) -> Path:
    place = place.absolute()
    while not place.is_dir():
        place = place.parent
    return place
