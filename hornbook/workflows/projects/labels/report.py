"""The report of a text classifier: its errors, each class, and the mistakes it was surest of.

Every figure was measured in that run.
"""

import json
from pathlib import Path
from typing import Any

from hornbook.core.metrics import MetricsLog
from hornbook.workflows.projects.labels.request import LabelsRecipe
from hornbook.workflows.report.charts import curve
from hornbook.workflows.report.page import Section
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.report import SHARED, points, write_page

_CLASSES: Section = ("classes", "Each class", "各个类别")
_MISTAKES: Section = ("mistakes", "Mistakes", "错误")
_SHOWN = 12
"""Mistakes that are shown."""


def write_report(path: Path, run: Path, result: dict[str, Any]) -> None:
    """Write the report of the run in `run` to `path`, with the facts of its result."""
    recipe = LabelsRecipe.load(run)
    losses = points(MetricsLog(run / layout.METRICS).rows(), "loss")
    mistakes = _mistakes(run / layout.OUTPUTS) if result["n"] else []
    own = [*([_CLASSES] if result["n"] else []), *([_MISTAKES] if mistakes else [])]
    write_page(
        path,
        "labels.html.jinja",
        recipe,
        result,
        [SHARED["curve"], *own, SHARED["choices"]],
        curve=curve({"model": losses}, {}, "texts · 文本"),
        mistakes=mistakes,
    )


def _mistakes(outputs: Path) -> list[dict[str, Any]]:
    """The test texts on which the model was surest and wrong."""
    lines = outputs.read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    wrong = [row | {"sure": max(row["probabilities"])} for row in rows]
    wrong = [row for row in wrong if row["guess"] != row["label"]]
    return sorted(wrong, key=lambda row: -row["sure"])[:_SHOWN]
