"""The page of a sentence's life: nothing is drawn that is not in its facts."""

from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim
from hornbook.core.outputs import check_file, output_file
from hornbook.workflows.report.charts import changes, curve

PAGE = Claim("biography")
"""Who writes the page, whatever was asked."""
_LINES = {
    "nats": ("the sentence", "这句话"),
    "others": ("others of the text", "同一文本的其他片段"),
    "held_out": ("held-out text", "留出的文本"),
}
_LANGUAGES = (0, 1)
"""Places of English and Chinese in a pair; each picture is drawn in both."""


def check_page(path: Path) -> None:
    """Raises UsageError for a file that is another's."""
    check_file(path, PAGE)


def write_page(path: Path, found: dict[str, Any]) -> None:
    """Write the page of what `biography` found."""
    from hornbook.workflows.report.page import render

    sections = [("stands", "Where it stands", "它在哪里"), ("life", "Its life", "它的一生")]
    sections.append(("written", "What the model writes", "模型写下的"))
    if found["retrained"]:
        sections.append(("without", "Without it", "没有它的话"))
    page = render(
        "biography.html.jinja",
        title="Hornbook",
        sections=sections,
        found=found,
        curves=[_curve(found["life"], one) for one in _LANGUAGES],
        changes=[_changes(found["retrained"], one) for one in _LANGUAGES if found["retrained"]],
    )
    with output_file(path, PAGE) as aside:
        aside.write_text(page, encoding="utf-8")


def _curve(life: list[dict[str, Any]], language: int) -> str:
    """Losses over steps; the first one, before any step, stands at 1 as the axis has no 0."""
    lines = {
        name[language]: [
            (max(1, row["step"] + 1), row[key]) for row in life if row[key] is not None
        ]
        for key, name in _LINES.items()
    }
    label = ("steps + 1", "步数 + 1")[language]
    return curve({name: line for name, line in lines.items() if line}, {}, label)


def _changes(again: dict[str, Any], language: int) -> str:
    """How much higher each loss ended: what was left out, and what was not."""
    left = [again["change"]["value"], *again["others"]["left_out"]]
    kept = [again["chance"], *again["others"]["kept"]]
    names = (("left out", "not left out"), ("被去掉的", "没被去掉的"))[language]
    label = ("nats a token", "奈特/词元")[language]
    return changes(dict(zip(names, (left, kept), strict=True)), label)
