"""What a run's log says: its last figures, and curves of as many points as a picture can show."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from hornbook.core.config import read_recipe
from hornbook.core.errors import HornbookError
from hornbook.core.files import read_object
from hornbook.core.metrics import MetricsLog
from hornbook.serve.studio.growing import GrowingLog, Row, log_of, row_of
from hornbook.serve.studio.scores import curve_of
from hornbook.workflows.runs import folder as layout

_T = TypeVar("_T")
POINTS = 800
"""Of a curve: more than a screen has room for."""


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
    """The rows of a log that are not of every step, and the last one; [] where there is no log."""
    log = _looked_at(path)
    if log is None:
        return []
    rows = list(log.landmarks)
    return rows if log.last is None or log.last in rows[-1:] else [*rows, log.last]


def _looked_at(path: Path, with_steps: bool = False) -> GrowingLog | None:
    try:
        return log_of(path).look(with_steps)
    except OSError:
        return None


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
    return [row for line in lines if (row := row_of(line)) is not None]


def figures(run: Path) -> dict[str, Any]:
    """For the charts of a run: `train` and `validation`, columns each, and `floors` by name.

    `passes` is among the columns where the recipe tells how long one is.

    A point of `train` is the mean of as many steps as it takes to have at most POINTS of them.
    """
    log = _looked_at(run / layout.METRICS, with_steps=True)
    validation = [row for row in log.landmarks if row.get("kind") == "validation"] if log else []
    pass_steps = steps_per_pass(kept(run / layout.RECIPE, read_recipe) or {})
    measure = curve_of(validation)
    return {
        "train": _columns(_means(log) if log else [], "loss", pass_steps),
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


def _means(log: GrowingLog) -> list[Row]:
    """Steps in groups of one size, each with the last one's place and the mean of its losses."""
    columns = {name: list(column) for name, column in log.train.items()}
    count = min(map(len, columns.values()))  # while somebody else reads on
    size = -(-count // POINTS) or 1
    found = []
    for start in range(0, count, size):
        group = columns["loss"][start : min(start + size, count)]
        row = {name: column[start + len(group) - 1] for name, column in columns.items()}
        found.append({**row, "loss": round(sum(group) / len(group), 5)})
    return found


def floors(run: Path) -> dict[str, float]:
    """What cheap methods reach on the same text."""
    found = kept(run / layout.FLOORS / "floors.json", read_object) or {}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
