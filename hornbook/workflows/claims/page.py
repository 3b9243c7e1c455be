"""The page of the claims, which reads as the chapter: nothing is drawn that is not in the JSON."""

import datetime
from collections.abc import Mapping
from typing import Any

from hornbook.workflows.claims.judge import FAILS, HOLDS, OPEN, UNTRIED, WORDS
from hornbook.workflows.report.charts import changes, curve
from hornbook.workflows.report.page import render

_CLASSES = {HOLDS: "good", FAILS: "bad", OPEN: "soft", UNTRIED: "soft"}


def claims_page(result: Mapping[str, Any]) -> str:
    """The HTML page of a result."""
    rows = result["claims"]
    return render(
        "claims.html.jinja",
        title="Hornbook",
        created=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        sections=[(row["name"], str(row["number"]), str(row["number"])) for row in rows],
        result=result,
        rows=rows,
        words=WORDS,
        begun=lambda text: text[:1].upper() + text[1:],
        classes=_CLASSES,
        counts={word: sum(row["verdict"] == word for row in rows) for word in WORDS},
        pictures={row["name"]: _pictures(row) for row in rows},
        next=(),
    )


def _pictures(row: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], tuple[str, str]]]:
    """What each picture of a claim shows, and the picture."""
    return [(one, picture(one)) for one in (row, *row["more"]) if one["marks"]]


def picture(row: Mapping[str, Any]) -> tuple[str, str]:
    """The marks of a claim, or of what it has besides, as SVG, in English and in Chinese."""
    names = row["zh"]["names"]
    return (
        _drawn(row["marks"], row["axis"], row["height"], {}),
        _drawn(row["marks"], row["zh"]["axis"], row["zh"]["height"], names),
    )


def _drawn(
    marks: list[dict[str, Any]], axis: str | None, height: str, names: Mapping[str, str]
) -> str:
    """Lines over the axis; without one a row of points for each name, its mean and its seeds."""
    if axis is None:
        rows = {names.get(mark["name"], mark["name"]): mark for mark in marks}
        points = {name: [m["value"], *m["seeds"]] for name, m in rows.items()}
        return changes(points, height, zero=False)
    lines: dict[str, list[tuple[float, float]]] = {}
    for mark in sorted(marks, key=lambda mark: float(mark["x"])):
        name = names.get(mark["name"], mark["name"])
        lines.setdefault(name, []).append((mark["x"], mark["value"]))
    return curve(lines, {}, axis)
