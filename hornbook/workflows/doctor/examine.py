"""An examination: every check on one subject, in an order, within a minute."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.clock import Clock
from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.workflows.doctor import checks, drills
from hornbook.workflows.doctor.diagnosis import (
    CHECKS,
    Check,
    Diagnosis,
    beside_the_point,
    faulty,
    load_all,
)
from hornbook.workflows.doctor.drills import DRILLS
from hornbook.workflows.doctor.subject import Subject, open_subject
from hornbook.workflows.runs.project import Project

MINUTES = 1.0
"""For all of it. What has not begun by then is left out, and that is said."""


class Examined(NamedTuple):
    """checks: with what each found, and the seconds it took."""

    what: str
    kind: str | None
    checks: list[tuple[Check, Diagnosis, float]]
    seconds: float

    def count(self, status: str) -> int:
        return sum(finding.status == status for _, finding, _ in self.checks)

    def plain(self, target: Path | None) -> dict[str, Any]:
        """For --json."""
        return {
            "target": None if target is None else str(target),
            "what": self.what,
            "kind": self.kind,
            "checks": [
                {
                    "name": check.name,
                    "title": check.title,
                    "status": finding.status,
                    "ok": finding.status != "fault",
                    "found": finding.found,
                    "advice": finding.advice,
                    "seconds": round(seconds, 3),
                }
                for check, finding, seconds in self.checks
            ],
            "faults": self.count("fault"),
            "warnings": self.count("warning"),
            "seconds": round(self.seconds, 3),
        }


def examine(
    target: Path | None,
    project: Project[Any, Any, Any] | None = None,
    values: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Examined:
    """Look at a run, a recipe, a model or this machine; or at a project with values of a recipe.

    Raises UsageError where there is nothing of that name.
    """
    load_all(checks)
    progress, clock = progress or Progress(quiet=True), Clock.start(MINUTES)
    with _aside(target) as work:
        progress.doing("looking for faults")
        subject = open_subject(target, project, values or {}, work, clock, progress)
        ordered = sorted(CHECKS.values(), key=lambda one: one.turn)
        found = [_looked(check, subject) for check in ordered]
    kind = subject.project.kind if subject.project else None
    return Examined(subject.what, kind, found, clock.used_s())


def drilled(progress: Progress) -> Examined:
    """Break what may break, on made-up material in a folder aside, and see what is lost."""
    load_all(drills)
    clock, found = Clock.start(None), []
    with _aside(None) as work:
        for drill in DRILLS.values():
            progress.say(f"Drill: {drill.title} ...")
            place = work / drill.name
            place.mkdir()
            found.append(_looked(drill, Subject("drill", None, place, clock)))
    return Examined("drill", None, found, clock.used_s())


def _looked(check: Check, subject: Subject) -> tuple[Check, Diagnosis, float]:
    began = time.monotonic()
    return check, _finding(check, subject), time.monotonic() - began


@contextlib.contextmanager
def _aside(target: Path | None) -> Iterator[Path]:
    """A folder beside a run, so that its parts can be linked; elsewhere where that is no place."""
    beside = target.absolute().parent if target is not None and target.is_dir() else None
    with contextlib.ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix=".doctor-", dir=beside)
        except OSError:
            made = tempfile.TemporaryDirectory(prefix=".doctor-")
        yield Path(stack.enter_context(made))


def _finding(check: Check, subject: Subject) -> Diagnosis:
    """What a check finds; that it cannot be made is a fault of what is examined."""
    if any(getattr(subject, need) is None for need in check.needs):
        if subject.refused:
            return beside_the_point("it could not be prepared")
        return beside_the_point("there is nothing of the kind here")
    if subject.clock.left_s() < 0:
        return beside_the_point("left out: the minute was over")
    try:
        return check.look(subject)
    except HornbookError as error:
        return faulty(str(error), "Mend what it says; the run would stop there.")
    except OSError as error:
        if error.errno is None:
            raise
        return faulty(f"{error.filename}: {error.strerror}", "Look at the file and its disk.")
