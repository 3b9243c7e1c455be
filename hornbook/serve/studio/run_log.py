"""What a run's log says: its last figures, and curves of as many points as a picture can show."""

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from hornbook.core.config import read_recipe
from hornbook.core.errors import HornbookError
from hornbook.core.files import read_object
from hornbook.core.metrics import MetricsLog
from hornbook.serve.studio.scores import curve_of
from hornbook.workflows.runs import folder as layout

_T = TypeVar("_T")
Row = dict[str, Any]
POINTS = 800
"""Of a curve: more than a screen has room for."""
_TRAIN = b'"kind": "train"'


def kept(path: Path, read: Callable[[Path], _T]) -> _T | None:
    """What `read` makes of a file, once for each state of it; None where it cannot be read."""
    try:
        facts = path.stat()
        found: _T = _read(read, path, facts.st_mtime_ns, facts.st_size)
    except (OSError, HornbookError):
        return None
    return found


@lru_cache(maxsize=1024)
def _read(read: Callable[[Path], Any], path: Path, modified: int, size: int) -> Any:
    return read(path)


def landmarks(path: Path) -> list[Row]:
    """The rows of a log that are not of every step, and the last one."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [
        row
        for number, line in enumerate(lines, 1)
        if (number == len(lines) or _TRAIN not in line) and (row := _row(line)) is not None
    ]


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


def samples(run: Path) -> list[Row]:
    """What the model wrote while it learned."""
    return kept(run / layout.SAMPLES, every_row) or []


def every_row(path: Path) -> list[Row]:
    """All rows of a log."""
    return MetricsLog(path).rows()


def rate(path: Path) -> float | None:
    """Steps in a second, of late; None before there are any."""
    rows = [row for row in (kept(path, _tail) or []) if row.get("kind") == "train"]
    if len(rows) < 2:
        return None
    seconds = rows[-1]["elapsed_s"] - rows[0]["elapsed_s"]
    return (rows[-1]["step"] - rows[0]["step"]) / seconds if seconds > 0 else None


def _tail(path: Path) -> list[Row]:
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 16 * 2**10))
        lines = log.read().split(b"\n")[1:-1]
    return [row for line in lines if (row := _row(line)) is not None]


def figures(run: Path) -> dict[str, Any]:
    """For the charts of a run: `train` and `validation`, columns each, and `floors` by name.

    `passes` is among the columns where the recipe tells how long one is.

    A point of `train` is the mean of as many steps as it takes to have at most POINTS of them.
    """
    rows = kept(run / layout.METRICS, every_row) or []
    train = [row for row in rows if row.get("kind") == "train" and "loss" in row]
    validation = [row for row in rows if row.get("kind") == "validation"]
    pass_steps = steps_per_pass(kept(run / layout.RECIPE, read_recipe) or {})
    measure = curve_of(validation)
    return {
        "train": _columns(_means(train), "loss", pass_steps),
        "validation": _columns([row for row in validation if measure in row], measure, pass_steps),
        "measure": measure,
        "floors": floors(run),
    }


def steps_per_pass(recipe: Row) -> float | None:
    """Over the data, by a run's recipe; None where it does not say."""
    found, expected = recipe.get("steps_per_epoch"), recipe.get("forecast") or {}
    if not found and expected.get("epochs"):
        found = expected["steps"] / expected["epochs"]
    return found if isinstance(found, int | float) and found > 0 else None


def _columns(rows: list[Row], value: str, pass_steps: float | None) -> dict[str, list[float]]:
    names = ("step", "tokens", "elapsed_s")
    found = {name: [row.get(name, 0) for row in rows] for name in names}
    if pass_steps:
        found["passes"] = [round(row["step"] / pass_steps, 4) for row in rows]
    return found | {"value": [row[value] for row in rows]}


def _means(rows: list[Row]) -> list[Row]:
    """Rows in groups of one size, each with the last one's place and the mean of its losses."""
    size = -(-len(rows) // POINTS) or 1
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [
        {**group[-1], "loss": round(sum(row["loss"] for row in group) / len(group), 5)}
        for group in groups
    ]


def floors(run: Path) -> dict[str, float]:
    """What cheap methods reach on the same text."""
    found = kept(run / layout.FLOORS / "floors.json", read_object) or {}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
