"""The page of an explanation: all that its JSON has, in one file that asks nothing of anybody."""

import base64
import datetime
import io
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim
from hornbook.core.outputs import check_file, output_file
from hornbook.workflows.report.charts import level
from hornbook.workflows.report.page import Section, render
from hornbook.workflows.understand.explain_words import (
    EVIDENCE,
    HIDDEN,
    METHODS,
    ORDERS,
    verdict_pair,
)

EXPLANATION = Claim("explain")
"""Who writes the page, whatever was explained."""
_SIDE = 448
"""Pixels of an image on the page."""
_SECTIONS: tuple[Section, ...] = (
    ("influence", "What it comes from", "依据是什么"),
    ("alternatives", "What it could say", "可能说什么"),
    ("tests", "Which explanation to believe", "该信哪种解释"),
    ("by_token", "Alignment", "对应"),
    ("lens", "After each block", "每一块之后"),
    ("recall", "What the state still holds", "状态还记得什么"),
)
_ANCHORS = {"tests": "test", "by_token": "alignment"}


def check_page(path: Path) -> None:
    """Raises UsageError for a file that is another's."""
    check_file(path, EXPLANATION)


def write_page(path: Path, found: dict[str, Any]) -> None:
    """Write the page of what `explain` found."""
    import markupsafe

    both = markupsafe.Markup(
        '<span class="en" lang="en">{}</span><span class="zh" lang="zh">{}</span>'
    )
    influence = found.get("influence", [])
    kinds = dict.fromkeys(row["evidence"] for row in found["tests"])
    grids = [
        (found.get("alignment"), "By the last cross-attention.", "最后一层交叉注意力。"),
        (found.get("by_token"), "By hiding, in nats.", "遮住后的变化（奈特）。"),
    ]
    text = render(
        "explain.html.jinja",
        title="Hornbook",
        created=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        sections=[(_ANCHORS.get(id, id), en, zh) for id, en, zh in _SECTIONS if found.get(id)],
        found=found,
        methods=METHODS,
        hidden=HIDDEN[found["kind"]],
        evidence=EVIDENCE,
        verdict=lambda one: both.format(*verdict_pair(one["verdict"], one["against"])),
        order=ORDERS[found["tests"][0]["against"]] if found["tests"] else None,
        level=level,
        most=max((abs(one["score"]) for one in influence), default=0) or 1,
        tests={k: [row for row in found["tests"] if row["evidence"] == k] for k in kinds},
        grids=[grid for grid in grids if grid[0]],
        written=_written(found),
        picture=_picture(found.get("image")),
    )
    with output_file(path, EXPLANATION) as aside:
        aside.write_text(text, encoding="utf-8")


def _written(found: dict[str, Any]) -> list[str]:
    """The tokens of a translation that are explained."""
    written: list[str] = found.get("written", [])
    position = found.get("position")
    return written if position is None else written[position - 1 : position]


def _picture(file: str | None) -> str:
    """An image as the model reads it, stretched to a square, in base64."""
    if file is None:
        return ""
    from PIL import Image

    from hornbook.datasets.image_files import read_image

    out = io.BytesIO()
    Image.fromarray(read_image(Path(file), _SIDE, 3)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()
