"""The report of an image model: its errors, each class, and the mistakes it was surest of.

Every figure was measured in that run.
"""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.core.metrics import MetricsLog
from hornbook.workflows.projects.images.request import ImagesRecipe
from hornbook.workflows.report.charts import curve
from hornbook.workflows.report.page import Section
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.report import SHARED, points, write_page

_CLASSES: Section = ("classes", "Each class", "各个类别")
_MISTAKES: Section = ("mistakes", "Mistakes", "错误")
_CONFUSED = 3
"""Other classes that are named beside each."""


def write_report(
    path: Path, run: Path, result: dict[str, Any], mistakes: Sequence[dict[str, Any]]
) -> None:
    """Write the report of the run in `run` to `path`, with the facts of its result.

    mistakes: test images with `pixels` (H, W, C) uint8, what each `is`, what it was `named` and how
    `sure` the model was.
    """
    recipe = ImagesRecipe.load(run)
    rows = MetricsLog(run / layout.METRICS).rows()
    error = 1 - result["accuracy"]["value"]
    shown = [{**mistake, "png": _png(mistake["pixels"])} for mistake in mistakes]
    write_page(
        path,
        "images.html.jinja",
        recipe,
        result,
        [
            SHARED["curve"],
            _CLASSES,
            *([_MISTAKES] if shown else []),
            SHARED["forecast"],
            SHARED["choices"],
        ],
        fact=error,
        targets=result["images"],
        curve=curve({"model": points(rows, "error")}, {}, "images · 图像"),
        classes=_classes(result["classes"]),
        mistakes=shown,
    )


def _classes(classes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each class, the others that its images were most often named."""
    found = []
    for i, kind in enumerate(classes):
        others = sorted(
            ((count, classes[j]["name"]) for j, count in enumerate(kind["named"]) if j != i),
            key=lambda pair: -pair[0],
        )
        named = ", ".join(f"{name} ({count:,})" for count, name in others[:_CONFUSED] if count)
        found.append({**kind, "confused": named})
    return found


def _png(pixels: np.ndarray) -> str | None:
    """The image as a data URI; None where Pillow, which only files need, is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    stream = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
