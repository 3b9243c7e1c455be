"""The report of a run: forecast beside fact, choices, samples, the next commands."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hornbook.core.files import write_text
from hornbook.training.measures import MEASURES
from hornbook.workflows.report.page import Section, render
from hornbook.workflows.runs.recipe import Recipe

Next = tuple[str, str, str]
"""A command to try, and what it does in English and in Chinese."""

SHARED: dict[str, Section] = {
    name: (name, en, zh)
    for name, en, zh in (
        ("curve", "How well it learned", "学得怎样"),
        ("samples", "Watching it learn", "看它学习"),
        ("forecast", "Forecast and fact", "预测与事实"),
        ("choices", "Choices", "选择"),
        ("next", "Next", "下一步"),
    )
}
"""Sections of more than one kind of report."""


def write_page(
    path: Path,
    template: str,
    recipe: Recipe,
    result: dict[str, Any],
    sections: Sequence[Section],
    fact: float = 0.0,
    targets: int = 0,
    following: Sequence[Next] = (),
    **facts: Any,
) -> None:
    """Write the report that `template` and its `facts` make.

    fact, targets: the value that was forecast and how many targets were learned from, as they came
    out, where there was a forecast. following: commands to try next.
    """
    shown = [*sections, SHARED["next"]] if following else sections
    page = render(
        template,
        title="Hornbook",
        created=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        machine=recipe.machine,
        versions=", ".join(f"{name} {version}" for name, version in recipe.versions.items()),
        sections=shown,
        result=result,
        fact=fact,
        forecast=_forecast(recipe, result, fact, targets),
        choices=_choices(recipe),
        next=following,
        **facts,
    )
    write_text(path, page)


def points(rows: Sequence[dict[str, Any]], measure: str) -> list[tuple[float, float]]:
    """What the metrics log says of a measure: (targets learned from, value)."""
    return [(row["tokens"], row[measure]) for row in rows if row["kind"] == "validation"]


def with_scores(
    samples: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]], measure: str
) -> list[dict[str, Any]]:
    """Samples with the newest validation figure before each, in words."""
    scored = [(row["step"], row[measure]) for row in rows if row["kind"] == "validation"]
    newest = [
        next((value for step, value in reversed(scored) if step <= sample["step"]), None)
        for sample in samples
    ]
    style = MEASURES[measure].text
    return [
        {**sample, "score": None if value is None else style(value)}
        for sample, value in zip(samples, newest, strict=True)
    ]


def _forecast(
    recipe: Recipe, result: dict[str, Any], fact: float, targets: int
) -> list[tuple[tuple[str, str], str, str, str]]:
    """Rows of name, forecast, fact and error; none without a forecast."""
    if recipe.forecast is None:
        return []
    expected, measure = recipe.forecast, MEASURES[recipe.forecast.measure]
    off = _off(expected.score, fact)
    low, high = measure.text(expected.low), measure.text(expected.high)
    mib = "{:,.0f}"
    return [
        _row(("seconds", "秒"), expected.seconds, result["seconds"], "{:,.0f}"),
        _row(("targets", "目标"), expected.targets, targets, "{:,}"),
        (
            (f"{measure.en} (80 % interval)", f"{measure.zh}（80 % 区间）"),
            f"{measure.text(expected.score)} ({low}–{high})",
            measure.text(fact),
            f"{off}, inside" if expected.low <= fact <= expected.high else f"{off}, outside",
        ),
        _row(
            ("peak memory, MiB", "内存峰值 (MiB)"),
            expected.peak_bytes / 2**20,
            result["peak_bytes"] / 2**20,
            mib,
        ),
        _row(
            ("disk, MiB", "磁盘 (MiB)"),
            expected.disk_bytes / 2**20,
            result["disk_bytes"] / 2**20,
            mib,
        ),
        (("passes over the data", "数据遍数"), f"{expected.epochs:.2f}", "", ""),
    ]


def _row(
    name: tuple[str, str], before: float, after: float, style: str
) -> tuple[tuple[str, str], str, str, str]:
    return name, style.format(before), style.format(after), _off(before, after)


def _off(before: float, after: float) -> str:
    return f"{after / before - 1:+.1%}" if before else "–"


def _choices(recipe: Recipe) -> list[dict[str, Any]]:
    rows = [choice._asdict() for choice in recipe.choices]
    rates = recipe.machine.rates
    measured = ", ".join(f"{kind} {rate / 1e9:,.0f} GFLOP/s" for kind, rate in rates.items())
    rows.append({"name": "dtype", "value": recipe.loop.dtype, "reason": f"measured: {measured}"})
    if recipe.forecast is None:
        return rows
    compiled = "yes" if recipe.compiled else "no"
    rows.append({"name": "compile", "value": compiled, "reason": recipe.compiled_reason})
    steps = f"{recipe.forecast.seconds:,.0f} s at the speed of the rehearsal"
    return [*rows, {"name": "steps", "value": recipe.loop.steps, "reason": steps}]
