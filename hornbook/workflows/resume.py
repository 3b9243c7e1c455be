"""Go on with any stopped run by its folder alone: what it trains on says who goes on with it."""

from pathlib import Path
from typing import Any

from hornbook.core.config import read_recipe
from hornbook.core.progress import Progress
from hornbook.workflows.projects.answers.project import resume_finetune
from hornbook.workflows.projects.images.project import resume_vision
from hornbook.workflows.projects.pairs.project import resume_translation
from hornbook.workflows.projects.text.project import resume_run
from hornbook.workflows.runs import folder as layout


def resume(run: Path, progress: Progress) -> dict[str, Any]:
    """Raises UsageError when `run` holds no run."""
    layout.require_run(run)
    asked = read_recipe(run / layout.RECIPE).get("request") or {}
    if "pairs" in asked:
        return resume_translation(run, progress)
    if asked.get("task") == "classify":
        return layout.result(run)  # it writes its recipe when it is done
    if "method" in asked:
        return resume_finetune(run, progress)
    if "images" in asked:
        return resume_vision(run, progress)
    return resume_run(run, progress)
