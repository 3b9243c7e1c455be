"""What a run would take and reach: its life up to the first step, in a folder that goes away.

It is the run's own life, so what it foretells is what the run will settle at the same moment.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.clock import Clock
from hornbook.core.files import place_errors
from hornbook.core.machine import peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.core.ranks import require_one
from hornbook.training.choices import Choice
from hornbook.training.forecast import Forecast, step_seconds, timed
from hornbook.training.problem import Problem
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project
from hornbook.workflows.runs.recipe import Recipe, Request
from hornbook.workflows.runs.run import settled
from hornbook.workflows.runs.settle import announcement, disk_bytes

_TIMED, _TIMING = 3, 0.03
"""Steps that are timed where the kind of run rehearses none, and what of the minutes that takes."""


def foretell(
    project: Project[Any, Any, Any],
    out: Path,
    request: Request,
    *,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """What `runs.run` would settle for `out`, of which nothing is written.

    Returns `kind`, `choices` [{name, value, reason, key}], where `key` is what a recipe calls what
    the user may say instead, or None, `steps`, `passes`, `prepared_s`, `training_s`,
    `ending_s`, `peak_bytes`, `disk_bytes`, `targets` (what is learned from), and `score` {measure,
    value, low, high} or None where there is no law for how such runs go on. Raises what the run
    would raise before its first step.
    """
    require_one("A forecast")
    clock, progress = clock or Clock.start(request.minutes), progress or Progress()
    with place_errors(out):
        layout.check(out, request, project.kind, resume=False)
    with beside(out) as aside:
        place = Place(aside / "run", progress, clock)
        with layout.alone(place.folder):
            problem, recipe = settled(project, None, request, place)
            progress.say(*announcement(recipe, problem.targets))
            found = _found(problem, recipe, clock)
            progress.say(_sentence(found))
    return {"kind": project.kind, "choices": _choices(project, problem.choices), **found}


@contextlib.contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A folder on the disk of `out` that goes away, however the work in it ends."""
    near = next(folder for folder in out.absolute().parents if folder.is_dir())
    with place_errors(near):
        aside = tempfile.TemporaryDirectory(prefix=".forecast-", dir=near)
    with aside as folder:
        yield Path(folder)


def _choices(project: Project[Any, Any, Any], made: Sequence[Choice]) -> list[dict[str, Any]]:
    fields = project.recipe.model_fields["request"].annotation.model_fields
    sizes = getattr(fields["plan"].annotation, "model_fields", {}) if "plan" in fields else {}
    # What nobody says is None, and then derived; other fields say which data and weights it is.
    said = {name: name for name, field in fields.items() if field.default is None}
    keys = {name: f"plan.{name}" for name in sizes} | said
    return [{**one._asdict(), "key": keys.get(one.name)} for one in made]


def _found(problem: Problem, recipe: Recipe, clock: Clock) -> dict[str, Any]:
    """The figures of a forecast: those of the rehearsal, or of steps that are timed now."""
    prepared_s, steps, expected = clock.used_s(), recipe.loop.steps, recipe.forecast
    if expected is not None:
        training_s, ending_s = expected.seconds, expected.ending_s
    else:
        step_s = step_seconds(problem, _TIMED, _TIMING * clock.given_s)
        score_s = timed(problem.score)[1]
        training_s = steps * step_s + recipe.evaluations * score_s
        ending_s = problem.ending_s(score_s)
    return {
        "steps": steps,
        "passes": steps / problem.steps_per_epoch,
        "prepared_s": prepared_s,
        "training_s": min(training_s, recipe.training_s or training_s),
        "ending_s": ending_s,
        "peak_bytes": peak_memory_bytes(recipe.machine.device),
        "disk_bytes": disk_bytes(problem.model, recipe.request.keep),
        "targets": problem.targets,
        "score": expected and _score(expected),
    }


def _sentence(found: dict[str, Any]) -> str:
    before, training, after = (found[f"{name}_s"] for name in ("prepared", "training", "ending"))
    return (
        f"In all about {before + training + after:,.0f} s: {before:,.0f} s before the first step, "
        f"{training:,.0f} s of training, {after:,.0f} s of measuring; "
        f"{found['peak_bytes'] / 2**20:,.0f} MiB of memory, "
        f"{found['disk_bytes'] / 2**20:,.0f} MiB of disk. Nothing was written."
    )


def _score(expected: Forecast) -> dict[str, Any]:
    """What is expected of the measure, with the 80 % interval."""
    low, high = expected.low, expected.high
    return {"measure": expected.measure, "value": expected.score, "low": low, "high": high}
