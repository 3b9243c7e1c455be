"""The report of a tuning: what it gained and forgot, answers to rows held out, the rows."""

from pathlib import Path
from typing import Any

from hornbook.core.metrics import MetricsLog
from hornbook.workflows.projects.answers.request import AnswersRecipe
from hornbook.workflows.report.charts import curve
from hornbook.workflows.report.page import Section
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.report import SHARED, points, write_page

_MEASURED: Section = ("measured", "Before and after", "之前与之后")
_GAIN: Section = ("gain", "Against plain tuning", "与普通微调相比")
_EXAMPLES: Section = ("examples", "Answers", "回答")
_ROWS: Section = ("rows", "The rows", "数据行")
_BOOKS = (
    ("rejected", "left out: unreadable, or of no known form", "去除：无法读取或形式未知"),
    ("doubles", "left out: said by another row", "去除：与其他行重复"),
    ("refused", "left out: refused by the chat template", "去除：聊天模板不接受"),
    ("too_long", "left out: too long", "去除：过长"),
    ("train", "to train on", "用于训练"),
    ("validation", "to know when to stop", "用于决定何时停止"),
    ("test", "to measure on", "用于测量"),
)


def write_report(path: Path, run: Path, recipe: AnswersRecipe, result: dict[str, Any]) -> None:
    """Write the report of the run in `run` to `path`, with the facts of its result."""
    losses = points(MetricsLog(run / layout.METRICS).rows(), "loss")
    examples = [_EXAMPLES] if result["examples"] else []
    gain = [_GAIN] if "gain" in result else []
    write_page(
        path,
        "answers.html.jinja",
        recipe,
        result,
        [_MEASURED, *gain, SHARED["curve"], *examples, SHARED["choices"], _ROWS],
        curve=curve({"model": losses}, {}, "targets · 目标"),
        books=_BOOKS,
    )
