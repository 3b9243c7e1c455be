"""A comparison as a page: scores with intervals, what they cost, and the verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from hornbook.workflows.report.charts import curve, intervals
from hornbook.workflows.report.page import Section, render

_SECTIONS: tuple[Section, ...] = (
    ("scores", "Scores", "得分"),
    ("pairs", "Against the best", "与最好的相比"),
    ("weights", "What the features say", "特征说明什么"),
    ("curve", "Fewer labels", "更少的标注"),
)
_METRICS = {
    "accuracy": ("accuracy", "准确率"),
    "macro_f1": ("macro F1", "宏平均 F1"),
    "auc": ("AUC", "AUC"),
    "calibration_error": ("calibration error", "校准误差"),
}
"""Figures of a rung's row, and their names."""
_CURVES = 2
"""Lines of a picture; more are hard to tell apart."""


def compare_page(result: Mapping[str, Any]) -> str:
    """The HTML page of a comparison of classifiers."""
    rows = [row for row in result["rows"] if "score" in row]
    best_first = sorted(rows, key=lambda row: -row["score"])
    weights = next((r["facts"]["weights"] for r in rows if r["name"] == "handmade"), None)
    has = {"weights": weights, "curve": result["curve"]}
    shown = [s for s in _SECTIONS if s[0] not in has or has[s[0]]]
    return render(
        "compare.html.jinja",
        title="Hornbook",
        sections=shown,
        result=result,
        rows=rows,
        failed=[row for row in result["rows"] if "error" in row],
        picture=intervals([(r["name"], r["score"], r["low"], r["high"]) for r in best_first]),
        pairs=[row for row in best_first if row["name"] != result["verdict"]["best"]],
        weights=weights,
        curves=_curves(result["curve"], best_first),
        percent=lambda value: f"{value:.2%}",
        seconds=_seconds,
        metrics=_METRICS,
        next=(),
    )


def _curves(rows: Sequence[Mapping[str, Any]], best_first: Sequence[Mapping[str, Any]]) -> str:
    """Errors of the best rungs over the number of texts, as a picture."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for rung in best_first[:_CURVES]:
        own = [row for row in rows if row["name"] == rung["name"] and "score" in row]
        if own:
            lines[rung["name"]] = [(row["texts"], 1 - row["score"]) for row in own]
    return curve(lines, {}, "texts") if lines else ""


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if value >= 0.1 else f"{value:.2g}"
