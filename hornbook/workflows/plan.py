"""A plan: what a run would be, take and reach, before anybody starts it.

All is prepared as the run would do it, aside, and rehearsed for some seconds: sizes with their
reasons, steps and passes, seconds, the memory of the largest step, the disk, and the score with an
interval that past runs have calibrated.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hornbook.batches.batch import Batch
from hornbook.core.clock import Clock
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.machine import measure_machine, peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.training.checkpoint import KEPT
from hornbook.training.dial import Wanted, choose, flops_per_token, probe_speed
from hornbook.training.objective import next_token
from hornbook.training.precision import product_type
from hornbook.training.vocabulary import TextSize
from hornbook.workflows.doctor.checks.room import device_bytes, measured_peak
from hornbook.workflows.doctor.subject import Subject, open_subject
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.foretell import Foretold, choices, foretold
from hornbook.workflows.runs.ledger import Learned, Likeness, learned
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.recipe import LEAST_MINUTES, RehearsedRequest, check_minutes
from hornbook.workflows.runs.settle import disk_bytes

_REHEARSING_S = 20.0
"""What the rehearsal of a plan may take, however long the run is to be."""
_AMPLE, _TRAINED = 10**9, 0.85
"""Bytes of text that are enough for any of these sizes; the share of minutes that is training."""
_HOUR_J = 3.6e6
"""Joules of a kilowatt-hour."""


class Budget(NamedTuple):
    """minutes: of the run; None for what the recipe says. watts: that the machine takes while it
    trains; None where nobody says it."""

    minutes: float | None = None
    watts: float | None = None

    @classmethod
    def of(
        cls,
        minutes: float | None,
        hours: float | None,
        kwh: float | None,
        watts: float | None,
    ) -> "Budget":
        """Of what was asked for; at most one of minutes, hours and kilowatt-hours. Raises
        UsageError."""
        given = {"--minutes": minutes, "--hours": hours, "--kwh": kwh}
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            raise UsageError(f"Say how long once: {' and '.join(named)} say it twice.")
        if watts is not None and not 0 < watts < 1e9:
            raise UsageError(f"--watts {watts:g}: must be above 0.")
        if kwh is not None:
            if watts is None:
                raise UsageError("--kwh needs --watts: what this machine takes while it trains.")
            minutes = kwh * _HOUR_J / watts / 60
        elif hours is not None:
            minutes = 60 * hours
        if minutes is not None:
            check_minutes(minutes, LEAST_MINUTES)
        return cls(minutes, watts)

    def energy(self, minutes: float | None, training_s: float | None) -> dict[str, float | None]:
        """For JSON: the power, and the energy of so many minutes, else of the training."""
        seconds = training_s if minutes is None else minutes * 60
        kwh = self.watts * seconds / _HOUR_J if self.watts and seconds else None
        return {"watts": self.watts, "kwh": kwh}


class TrainingPlan(NamedTuple):
    """subject: opened, its recipe settled as the run would settle it. found: of that. largest:
    values in the largest step, peak_bytes: that it took. past: what the ledger says. seconds: that
    planning took."""

    subject: Subject
    found: Foretold
    largest: int
    peak_bytes: int
    past: Learned | None
    seconds: float


def plan(
    target: Path | None,
    project: Any,
    values: Mapping[str, Any],
    budget: Budget,
    progress: Progress,
) -> TrainingPlan:
    """Plan a run of a project with values of a recipe, or of the recipe or run that `target` is.

    Raises UsageError for what is no recipe, and HornbookError where it could not be prepared or has
    no room.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".plan-") as work:
        subject = open_subject(
            target, project, values, Path(work), Clock.start(None), progress, budget.minutes
        )
        if subject.refused:
            raise HornbookError(subject.refused)
        if (problem := subject.problem) is None:
            raise UsageError(f"{target} holds nothing to train; name a recipe or the data.")
        assert subject.recipe is not None and subject.project is not None
        progress.doing("computing the largest step")
        peak, largest = measured_peak(problem)
        request = subject.recipe.request
        # What preparing takes of the minutes, with all of the data.
        spent_s = subject.preparing_s * subject.light
        clock = Clock(request.minutes, time.monotonic() - spent_s)
        place = Place(subject.work, Progress(quiet=True), clock, _REHEARSING_S)
        steps = subject.project.steps(request, problem)
        progress.doing("rehearsing")
        settled = subject.project.settle(problem, subject.recipe.machine, steps, request, place)
        subject.recipe = subject.recipe.model_copy(update=settled._asdict())
        found = foretold(problem, subject.recipe, _REHEARSING_S)
    return TrainingPlan(subject, found, largest, peak, _past(subject), time.monotonic() - began)


def _past(subject: Subject) -> Learned | None:
    """What the ledger knows of such runs; None for kinds that are not foretold."""
    recipe, problem = subject.recipe, subject.problem
    assert recipe is not None and problem is not None
    if not isinstance(recipe.request, RehearsedRequest):
        return None
    return learned(Likeness.of(recipe.request, problem.plan, problem.measure))


def plain(planned: TrainingPlan, budget: Budget, target: Path | None) -> dict[str, Any]:
    """For --json."""
    subject, found = planned.subject, planned.found
    project, problem, recipe = subject.project, subject.problem, subject.recipe
    assert project is not None and problem is not None and recipe is not None
    expected, past = found.expected, planned.past
    # Of a large corpus a part was looked at.
    passes = found.passes / subject.light
    return {
        "target": None if target is None else str(target),
        "kind": project.kind,
        "minutes": recipe.request.minutes,
        **budget.energy(recipe.request.minutes, found.training_s),
        "choices": choices(project, (*subject.choices, *problem.choices)),
        "parameters": sum(weight.numel() for weight in problem.model.parameters()),
        "steps": found.steps,
        "epochs": passes,
        "targets": expected and expected.targets,
        "training_seconds": found.training_s,
        "memory": _memory(planned.largest, planned.peak_bytes, recipe.loop.device),
        "disk_bytes": found.disk_bytes,
        "forecast": expected and {**expected.plain(), "epochs": passes},
        "past": past and {"runs": past.runs, "same_data": past.same_data},
        "seconds": round(planned.seconds, 3),
    }


def _memory(largest: int, peak_bytes: int, device: str) -> dict[str, int]:
    """largest: values in the largest step; peak_bytes: that it took."""
    available = device_bytes(device)
    return {"largest_step": largest, "peak_bytes": peak_bytes, "available_bytes": available}


def sizes_alone(budget: Budget, progress: Progress) -> dict[str, Any]:
    """As `plain`, of a decoder of text for the minutes where no data are named: what the dial would
    take with text enough for one pass. Raises UsageError without minutes."""
    if budget.minutes is None:
        raise UsageError("Say how long: --minutes, --hours, or --kwh with --watts.")
    began, seconds = time.monotonic(), budget.minutes * 60
    progress.doing("timing steps of a small model")
    machine = measure_machine()
    flops = probe_speed(machine)
    plan, chosen = choose(flops, machine, TextSize(_AMPLE), seconds, Wanted())
    config = plan.config(plan.vocab)
    model = config.build().to(machine.device)
    tokens = torch.randint(plan.vocab, (plan.micro_rows, plan.context), device=machine.device)
    batch = Batch(tokens, tokens, torch.arange(plan.context, device=machine.device)[None])
    progress.doing("computing the largest step")
    with product_type(machine.device, machine.dtype):
        loss, _ = next_token(model, batch)
    loss.backward()
    disk = disk_bytes(model)
    step = plan.rows * plan.context
    steps = max(1, int(_TRAINED * seconds * flops / flops_per_token(config) / step))
    return {
        "target": None,
        "kind": "text",
        "minutes": budget.minutes,
        **budget.energy(budget.minutes, None),
        "choices": choices(Text, chosen),
        "parameters": config.parameters(),
        "steps": steps,
        "epochs": None,
        "targets": steps * step,
        "training_seconds": _TRAINED * seconds,
        # The moments of the optimiser come with its first step.
        "memory": _memory(
            tokens.numel(), peak_memory_bytes(machine.device) + disk // (KEPT + 1), machine.device
        ),
        "disk_bytes": disk,
        "forecast": None,
        "past": None,
        "seconds": round(time.monotonic() - began, 3),
    }
