"""The report of a translator: its loss and BLEU, what it made of test sentences, the pairs.

Every figure was measured in that run.
"""

import json
from pathlib import Path
from typing import Any

from hornbook.core.lines import lines_of
from hornbook.core.metrics import MetricsLog
from hornbook.workflows.projects.pairs.request import PairsRecipe
from hornbook.workflows.report.charts import bars, curve
from hornbook.workflows.report.page import Section
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.report import SHARED, points, with_scores, write_page

_OUTPUTS: Section = ("outputs", "Test sentences", "测试句子")
_PAIRS: Section = ("pairs", "The pairs", "句对")
_SHOWN = 10
"""Test sentences that are shown, evenly spread."""


def write_report(path: Path, run: Path, result: dict[str, Any]) -> None:
    """Write the report of the run in `run` to `path`, with the facts of its result."""
    recipe = PairsRecipe.load(run)
    rows = MetricsLog(run / layout.METRICS).rows()
    samples = with_scores(MetricsLog(run / layout.SAMPLES).rows(), rows, "nats_per_token")
    line = points(rows, "nats_per_token")
    lengths = [
        (f"{part['least']}–{part['most']}", part["bleu"]) for part in result["bleu_by_length"]
    ]
    write_page(
        path,
        "pairs.html.jinja",
        recipe,
        result,
        [
            SHARED["curve"],
            *([SHARED["samples"]] if samples else []),
            _OUTPUTS,
            SHARED["forecast"],
            SHARED["choices"],
            _PAIRS,
        ],
        fact=result["nats_per_token"],
        targets=result["tokens"],
        curve=curve({"model": line}, {}, "target tokens · 目标词元"),
        samples=samples,
        by_length=bars(lengths, "words of the source · 原文词数"),
        outputs=_outputs(run / layout.OUTPUTS),
        splits=result["pairs"],
    )


def _outputs(path: Path) -> list[dict[str, Any]]:
    lines = lines_of(path.read_text(encoding="utf-8"))
    step = max(1, len(lines) // _SHOWN)
    return [json.loads(line) for line in lines[::step][:_SHOWN]]
