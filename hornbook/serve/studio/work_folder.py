"""What lies in the work folder: runs, indexes and models, however they came there.

Everything is read from their files at each look, so nothing here can be out of date.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.claims import MARKER
from hornbook.core.config import read_recipe
from hornbook.core.files import read_object
from hornbook.core.gguf import SUFFIX, is_model
from hornbook.models.place import CONFIG, LINEAR
from hornbook.retrieve.store import FILE as INDEX_FILE
from hornbook.serve.studio.alive import is_locked
from hornbook.serve.studio.growing import Row
from hornbook.serve.studio.jobs import BegunCommand, Jobs, makes_run
from hornbook.serve.studio.run_log import kept, landmarks
from hornbook.serve.studio.scores import RunScore, score_of
from hornbook.serve.studio.uploads import TEXTS
from hornbook.workflows.runs import folder as layout

_DEEPEST, _MOST = 3, 2000
"""Folders inside the work folder that are looked into, and how many in all."""
_MODELS = (CONFIG, LINEAR)
"""One of them lies in the folder of a model."""
_PASSED = {layout.CHECKPOINTS, layout.SHARDS, layout.MODEL, layout.FLOORS, layout.BEST, TEXTS}


class RunSummary(NamedTuple):
    """A line of the table of runs. id: its place in the work folder. state: "running", "stopped"
    or "finished". steps: in all, None before they are settled. changed: seconds since 1970."""

    id: str
    folder: Path
    kind: str
    state: str
    step: int
    steps: int | None
    seconds: float
    score: RunScore
    changed: float

    @property
    def share(self) -> float:
        """Of its steps, those that are done."""
        return 1.0 if self.state == "finished" else self.step / self.steps if self.steps else 0.0


class WorkFolder:
    """folder: may not exist yet. jobs: what was begun in it."""

    def __init__(self, folder: Path, jobs: Jobs) -> None:
        self.folder, self.jobs = folder, jobs

    def runs(self) -> list[RunSummary]:
        """All runs, what was changed last first."""
        jobs = [job for job in self.jobs.all() if job.alive]
        places = [path for path in self._folders() if (path / layout.RECIPE).is_file()]
        return sorted((self._summary(path, jobs) for path in places), key=lambda run: -run.changed)

    def run(self, name: str) -> RunSummary | None:
        """The run of a place in the work folder; no other place is looked at."""
        path = self.inside(name)
        if path is None or not (path / layout.RECIPE).is_file():
            return None
        return self._summary(path, [job for job in self.jobs.all() if job.alive])

    def inside(self, name: str) -> Path | None:
        """The folder of a place in the work folder, if it is one of those that are looked at."""
        return next((path for path in self._folders() if self._id(path) == name), None)

    def waiting(self) -> list[BegunCommand]:
        """Commands that were begun to make a run, and have written none yet."""
        runs = self.runs()
        begun = [job for job in self.jobs.all() if makes_run(job) and not job.foretells]
        return [job for job in begun if not any(job.makes(run.id) for run in runs)]

    def working(self) -> list[BegunCommand]:
        """Commands that run now, and make something else than a run."""
        return [job for job in self.jobs.all() if job.alive and not makes_run(job)]

    def indexes(self) -> list[Path]:
        """Folders with an index of documents."""
        return [path for path in self._folders() if (path / INDEX_FILE).is_file()]

    def models(self) -> dict[str, Path]:
        """Finished models, by the place of their run, folder or file."""
        found = {}
        for path in self._folders():
            places = (path / name for path in (path, path / layout.MODEL) for name in _MODELS)
            if any(place.is_file() for place in places):
                found[self._id(path)] = path
            files = [file for file in path.glob(f"*{SUFFIX}") if is_model(file.name)]
            found |= {self._id(file): file for file in sorted(files)}
        return found

    def corpora(self) -> dict[str, Path]:
        """Corpora that were built, by their place."""
        needed = (MARKER, "card.json", "split.json")
        return {
            self._id(path): path
            for path in self._folders()
            if all((path / name).is_file() for name in needed)
        }

    def results(self) -> dict[str, Path]:
        """Folders with a result that are no run, by their place: what was changed last first."""
        found = [
            (path.stat().st_mtime, path)
            for path in self._folders()
            if (path / layout.RESULT).is_file() and not (path / layout.RECIPE).is_file()
        ]
        return {self._id(path): path for _, path in sorted(found, reverse=True)}

    def _id(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _folders(self) -> list[Path]:
        return list(_walked(self.folder, _DEEPEST)) if self.folder.is_dir() else []

    def _summary(self, path: Path, jobs: list[BegunCommand]) -> RunSummary:
        name = self._id(path)
        result = kept(path / layout.RESULT, read_object) or {}
        recipe = {} if result else kept(path / layout.RECIPE, read_recipe) or {}
        last = landmarks(path / layout.METRICS)
        step = max((row["step"] for row in last), default=0)
        steps = result.get("steps") or ends_at(recipe, last)
        elapsed = max((row.get("elapsed_s", 0.0) for row in last), default=0.0)
        return RunSummary(
            id=name,
            folder=path,
            kind=str(result.get("kind") or recipe.get("kind") or ""),
            state=_state(path, name, bool(result), jobs),
            step=result.get("steps", step),
            steps=steps,
            seconds=result.get("seconds", elapsed),
            score=score_of(result, last),
            changed=_changed(path),
        )


def _state(path: Path, name: str, finished: bool, alive: list[BegunCommand]) -> str:
    if finished:
        return "finished"
    return "running" if any(job.makes(name) for job in alive) or is_locked(path) else "stopped"


def ends_at(recipe: dict[str, Any], rows: list[Row]) -> int | None:
    """The last step of a run, as it was settled or shortened."""
    cut = [row["steps"] for row in rows if row.get("kind") == "shortened"]
    steps = cut[-1] if cut else (recipe.get("loop") or {}).get("steps")
    return steps if isinstance(steps, int) else None


def _walked(folder: Path, deep: int) -> Iterator[Path]:
    """Folders in which results may lie; those that hold text alone are many, and passed over."""
    waiting, seen = [(folder, deep)], 0
    while waiting and seen < _MOST:
        place, left = waiting.pop(0)
        for path in _folders_in(place):
            seen += 1
            yield path
            if left > 1:
                waiting.append((path, left - 1))


def _folders_in(place: Path) -> list[Path]:
    """Those that are looked into, sorted. There may be a hundred thousand files beside them."""
    try:
        with os.scandir(place) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".")
                and entry.name not in _PASSED
                and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    return [place / name for name in sorted(names)]


def _changed(path: Path) -> float:
    times = [0.0]
    for name in (layout.METRICS, layout.RESULT, layout.RECIPE):
        try:
            times.append((path / name).stat().st_mtime)
        except OSError:
            continue
    return max(times)
