"""From a task's name or file to the task, and from the paths in it to the data on this machine."""

import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from hornbook.core.config import read_recipe
from hornbook.core.errors import UsageError, nearest, unknown
from hornbook.evaluate.kinds import KINDS
from hornbook.evaluate.task import Task

SUFFIXES = (".yaml", ".yml")
DATA = "HORNBOOK_DATA"
"""The variable that names the folder of data sets."""


class LoadedTask(NamedTuple):
    """name: of the built-in task, or the file's without its suffix. folder: where the file lies."""

    name: str
    kind: str
    task: Task
    folder: Path


def built_in() -> dict[str, Path]:
    """The tasks that come with Hornbook, by name."""
    folder = Path(str(resources.files("hornbook.evaluate") / "tasks"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_task(asked: str, overrides: Sequence[str] = ()) -> LoadedTask:
    """The task of a name or of a YAML file, some keys set by `key=value`.

    Raises UsageError for an unknown name, a file that is not there or is broken, and for unknown
    keys and values, naming the nearest valid one.
    """
    known = built_in()
    path = known.get(asked) or Path(asked)
    if not path.is_file():
        if path.suffix in SUFFIXES:
            raise UsageError(f"{path} does not exist. {nearest(path.stem, known)}")
        raise unknown("task", asked, known)
    values = read_recipe(path, overrides)
    kind = values.pop("kind", None)
    if kind is None:
        raise UsageError(f"{path}: key 'kind' is missing. {nearest('', KINDS)}")
    if str(kind) not in KINDS:
        raise unknown("kind of task", str(kind), KINDS)
    return LoadedTask(path.stem, str(kind), KINDS[str(kind)].parse(values, str(path)), path.parent)


def find_data(loaded: LoadedTask, named: str | None, given: Path | None = None) -> Path:
    """Where the data of a task is: the path given, or the one that the task names.

    That one is looked for beside the task's file and then under HORNBOOK_DATA. Raises UsageError
    saying where it was looked for.
    """
    if given is not None:
        if not given.exists():
            raise UsageError(f"{given} does not exist.")
        return given
    if named is None:
        raise UsageError(f"The task {loaded.name} names no data; say which by --data.")
    base = os.environ.get(DATA)
    places = [loaded.folder / named, *([Path(base) / named] if base else [])]
    for place in places:
        if place.exists():
            return place
    where = f"nor under {base}" if base else f"and {DATA} does not say where data sets are"
    raise UsageError(
        f"The task {loaded.name} reads {named}, which is not beside its file {where}; "
        "say where it is by --data."
    )
