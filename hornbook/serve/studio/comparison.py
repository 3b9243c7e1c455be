"""A comparison as its folder says it: rungs with intervals, differences, the verdict."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_object
from hornbook.serve.studio.run_log import kept
from hornbook.workflows.report.charts import curve
from hornbook.workflows.runs import folder as layout

_SIDES = ("domain", "general")
_CURVES = 2
"""Lines of a picture; more are hard to tell apart."""


class Interval(NamedTuple):
    """start, middle, end: of its picture, in per cent of the width."""

    value: float
    low: float
    high: float
    start: float
    middle: float
    end: float


class ComparedRow(NamedTuple):
    """shown: by measure. behind, p: against the best. facts: the row as it stands in the file."""

    name: str
    shown: dict[str, Interval]
    facts: Mapping[str, Any]


class Comparison(NamedTuple):
    """task: "classify" or "lm". rows: the best first. failed: (name, why). verdict: in words.
    measures: those of `shown`, each with its least and largest value. picture: of the curve, SVG.
    """

    task: str
    rows: list[ComparedRow]
    failed: list[tuple[str, str]]
    chosen: str
    verdict: str
    measures: dict[str, tuple[float, float]]
    notes: list[str]
    curve: list[Mapping[str, Any]]
    picture: str
    facts: Mapping[str, Any]


def result_of(folder: Path) -> dict[str, Any] | None:
    """What a comparison wrote last; None where the folder is none."""
    if (folder / layout.RECIPE).is_file():
        return None
    found = kept(folder / layout.RESULT, read_object)
    return found if found and found.get("task") in ("classify", "lm") else None


def read_comparison(folder: Path) -> Comparison:
    """Raises HornbookError for a result that is not what `hornbook compare` writes."""
    result = result_of(folder) or {}
    try:
        return _classifiers(result) if result["task"] == "classify" else _texts(result)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise HornbookError(f"{folder / layout.RESULT} is no result of a comparison.") from None


def _classifiers(result: Mapping[str, Any]) -> Comparison:
    rows = [row for row in result["rows"] if "score" in row]
    rows.sort(key=lambda row: -float(row["score"]))
    scores = [{"accuracy": (row["score"], row["low"], row["high"])} for row in rows]
    shown, measures = _pictures(scores)
    return Comparison(
        "classify",
        [ComparedRow(str(r["name"]), s, r) for r, s in zip(rows, shown, strict=True)],
        [(str(row["name"]), str(row["error"])) for row in result["rows"] if "error" in row],
        str(result["verdict"]["choose"]),
        str(result["verdict"]["reason"]),
        measures,
        [str(note) for note in result["notes"]],
        [row for row in result["curve"] if "score" in row],
        _curve(result["curve"], [str(row["name"]) for row in rows]),
        result,
    )


def _texts(result: Mapping[str, Any]) -> Comparison:
    rows = result["rows"]
    scores = [
        {side: tuple(row[side][part] for part in ("value", "low", "high")) for side in _SIDES}
        for row in rows
    ]
    shown, measures = _pictures(scores)
    return Comparison(
        "lm",
        [ComparedRow(str(r["name"]), s, r) for r, s in zip(rows, shown, strict=True)],
        [],
        str(result["verdict"]["choose"] or ""),
        str(result["verdict"]["reason"]),
        measures,
        [str(note) for note in result.get("notes", ())],
        [],
        "",
        result,
    )


def _pictures(
    scores: Sequence[Mapping[str, Sequence[float]]],
) -> tuple[list[dict[str, Interval]], dict[str, tuple[float, float]]]:
    """Where each interval lies between the least and the largest value of its measure."""
    measures = {}
    for measure in scores[0] if scores else ():
        values = [float(value) for row in scores for value in row[measure]]
        measures[measure] = min(values), max(values)

    def picture(measure: str, values: Sequence[float]) -> Interval:
        least, most = measures[measure]
        value, low, high = map(float, values)
        scale = 100 / ((most - least) or 1)
        return Interval(
            value, low, high, *(round((x - least) * scale, 2) for x in (low, value, high))
        )

    return [{name: picture(name, row[name]) for name in row} for row in scores], measures


def _curve(rows: Sequence[Mapping[str, Any]], best_first: Sequence[str]) -> str:
    """Errors of the best rungs over the number of texts, as SVG."""
    lines = {}
    for name in best_first[:_CURVES]:
        points = [(r["texts"], 1 - r["score"]) for r in rows if r["name"] == name and "score" in r]
        if points:
            lines[name] = points
    return curve(lines, {}, "texts · 文本") if lines else ""
