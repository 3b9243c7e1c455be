"""What every run settles before its first step: the machine, compilation, how many steps, forecast.

Knows rehearsals and the run folder's disk; knows nothing of families or data.
"""

import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from hornbook.core.files import require_space
from hornbook.core.machine import Machine, measure_machine
from hornbook.core.progress import Progress
from hornbook.train.checkpoint import KEPT
from hornbook.train.forecast import Forecast, Run, forecast, rehearse
from hornbook.train.loop import LoopConfig
from hornbook.train.optimiser import is_hidden_matrix
from hornbook.workflows.measures import MEASURES
from hornbook.workflows.run import Recorded, Settled
from hornbook.workflows.training import HOOKS_SHARE

_LEAST_SHARE = 0.3
"""Of the minutes given, what is left for training however long the preparations took."""


class Budget(NamedTuple):
    """How long to train: until `minutes` have passed since `started` (time.perf_counter), or steps.

    compiled: the user's word on torch.compile, or None to measure.
    """

    started: float
    minutes: float | None
    steps: int | None
    compiled: bool | None


class Settlement(NamedTuple):
    """The part of a recipe that a rehearsal settles."""

    loop: LoopConfig
    compiled: bool
    compiled_reason: str
    forecast: Forecast


def machine_for(recipe: Recorded | None, device: str | None) -> Machine:
    """The machine as the recipe found it, or measured now; torch uses the same threads."""
    machine = recipe.machine if recipe else measure_machine(device)
    torch.set_num_threads(machine.threads)
    return machine


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
    seconds = budget.minutes * 60 if budget.minutes is not None else None
    rehearsal = rehearse(rehearsed, loop, seconds, budget.steps or 0, budget.compiled)
    steps = budget.steps
    if seconds is not None:
        left = seconds - (time.perf_counter() - budget.started)
        left = max(left, _LEAST_SHARE * seconds)
        steps = max(1, int(left * (1 - HOOKS_SHARE) / rehearsal.step_s))
    assert steps is not None, "requests are checked to have one of both"
    expected = forecast(
        rehearsal,
        rehearsed.measure,
        steps=steps,
        epochs=steps / steps_per_epoch,
        seconds=steps * rehearsal.step_s / (1 - HOOKS_SHARE),
        disk_bytes=_disk_bytes(rehearsed.fresh().model),
    )
    # One more checkpoint is written before the oldest goes.
    require_space(run, 2 * expected.disk_bytes, "A run with its checkpoints")
    fixed = loop.model_copy(update={"steps": steps})
    return Settlement(fixed, rehearsal.compiled, rehearsal.reason, expected)


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
