"""What a run would take and reach: its life up to the first step, in a folder that goes away.

It is the run's own life, so what it foretells is what the run will settle at the same moment.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
from hornbook.workflows.runs.timed import TimedProblem

_TIMED, _TIMING = 3, 0.03
"""Steps that are timed where the kind of run rehearses none, and what of the minutes that takes."""


Kind = Project[Any, Any, Any] | type[Project[Any, Any, Any]]


class Foretold(NamedTuple):
    """What a run would take and reach. passes: over what it learns from. training_s, ending_s: of
    training, and of measuring and writing afterwards. expected: None where there is no law for how
    such runs go on."""

    steps: int
    passes: float
    training_s: float
    ending_s: float
    peak_bytes: int
    disk_bytes: int
    expected: Forecast | None


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
            prepared_s = clock.used_s()
            found = foretold(problem, recipe, _TIMING * clock.given_s)
            progress.say(_sentence(found, prepared_s))
    return {
        "kind": project.kind,
        "choices": choices(project, problem.choices),
        "steps": found.steps,
        "passes": found.passes,
        "prepared_s": prepared_s,
        "training_s": found.training_s,
        "ending_s": found.ending_s,
        "peak_bytes": found.peak_bytes,
        "disk_bytes": found.disk_bytes,
        "targets": problem.targets,
        "score": found.expected and _score(found.expected),
    }


@contextlib.contextmanager
def beside(out: Path) -> Iterator[Path]:
    """A folder on the disk of `out` that goes away, however the work in it ends."""
    near = next(folder for folder in out.absolute().parents if folder.is_dir())
    with place_errors(near):
        aside = tempfile.TemporaryDirectory(prefix=".forecast-", dir=near)
    with aside as folder:
        yield Path(folder)


def choices(project: Kind, made: Sequence[Choice]) -> list[dict[str, Any]]:
    """For JSON: each with what a recipe calls it, or None, as `key`."""
    fields = project.recipe.model_fields["request"].annotation.model_fields
    sizes = getattr(fields["plan"].annotation, "model_fields", {}) if "plan" in fields else {}
    # What nobody says is None, and then derived; other fields say which data and weights it is.
    said = {name: name for name, field in fields.items() if field.default is None}
    keys = {name: f"plan.{name}" for name in sizes} | said
    return [{**one._asdict(), "key": keys.get(one.name)} for one in made]


def foretold(problem: Problem, recipe: Recipe, most_s: float) -> Foretold:
    """Of a run that is settled: as it was rehearsed, or by steps that are timed now.

    most_s: seconds after which no more steps are timed.
    """
    steps, expected = recipe.loop.steps, recipe.forecast
    if expected is not None:
        training_s, ending_s = expected.seconds, expected.ending_s
    else:
        step_s, known = step_seconds(problem, _TIMED, most_s), None
        if isinstance(problem, TimedProblem):
            step_s, known = problem.mean_step_s(step_s), problem.score_s
        score_s = timed(problem.score)[1] if known is None else known
        training_s = steps * step_s + recipe.evaluations * score_s
        ending_s = problem.ending_s(score_s)
    return Foretold(
        steps=steps,
        passes=steps / problem.steps_per_epoch,
        training_s=min(training_s, recipe.training_s or training_s),
        ending_s=ending_s,
        peak_bytes=peak_memory_bytes(recipe.machine.device),
        disk_bytes=disk_bytes(problem.model, recipe.request.keep) + problem.stored_bytes,
        expected=expected,
    )


def _sentence(found: Foretold, before: float) -> str:
    training, after = found.training_s, found.ending_s
    return (
        f"In all about {before + training + after:,.0f} s: {before:,.0f} s before the first step, "
        f"{training:,.0f} s of training, {after:,.0f} s of measuring; "
        f"{found.peak_bytes / 2**20:,.0f} MiB of memory, "
        f"{found.disk_bytes / 2**20:,.0f} MiB of disk. Nothing was written."
    )


def _score(expected: Forecast) -> dict[str, Any]:
    """What is expected of the measure, with the 80 % interval."""
    low, high = expected.low, expected.high
    return {"measure": expected.measure, "value": expected.score, "low": low, "high": high}
