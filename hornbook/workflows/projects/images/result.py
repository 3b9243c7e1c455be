"""What came of an image run: all test images judged, the model folder, its card, the report.

Knows a trained model; trains nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.batches.images import LabelledImages
from hornbook.batches.labelled import LabelledBatch
from hornbook.core.clock import Clock
from hornbook.core.files import write_json
from hornbook.core.machine import peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.core.stats import wilson
from hornbook.models.classifier import Classifier
from hornbook.models.folder import save_model
from hornbook.models.pixels import PREPROCESSOR, PixelsConfig
from hornbook.train.forecast import timed
from hornbook.train.loop import LoopConfig
from hornbook.train.precision import uncompiled
from hornbook.train.scores import Scored, score
from hornbook.train.state import TrainState
from hornbook.workflows.projects.images.request import Pictures, VisionRecipe
from hornbook.workflows.report.images import write_report
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.settle import measuring_seconds

_SHOWN = 16
"""Mistakes that the report shows."""


@dataclass
class Bench:
    """All that is built before the first step. quick: test images to score while training."""

    train: LabelledImages
    test: LabelledImages
    quick: LabelledImages
    pixels: PixelsConfig
    model: Classifier


def measured(bench: Bench, loop: LoopConfig, images: LabelledImages) -> Scored:
    """How the model does on images, in the order in which they came."""
    batches: Iterable[LabelledBatch] = images.in_order()
    with uncompiled():
        return score(bench.model, batches, loop.device, loop.dtype)


def finish(
    run: Path,
    recipe: VisionRecipe,
    bench: Bench,
    pictures: Pictures,
    state: TrainState,
    clock: Clock,
    progress: Progress,
) -> dict[str, Any]:
    """Measure on the test images and write it all out; returns the facts of result.json."""
    peak_bytes = peak_memory_bytes(recipe.machine.device)
    places = _in_time(recipe, bench, clock, progress)
    found = measured(bench, recipe.loop, bench.test.some(places))
    result = {
        "run": str(run),
        "seconds": state.elapsed_s,
        "steps": state.step,
        "shortened": [cut._asdict() for cut in state.cuts],
        "images": state.tokens,
        "images_per_second": state.tokens / state.elapsed_s if state.elapsed_s else 0.0,
        "parameters": bench.model.config.parameters(),
        "accuracy": found.accuracy._asdict(),
        "nats": found.nats,
        "test_images": len(found.labels),
        "train_images": len(pictures.train.labels),
        "classes": _classes(found, pictures.train.names),
        "forecast": recipe.forecast.plain(),
        "peak_bytes": peak_bytes,
        "report": str(run / layout.REPORT),
    }
    save_model(
        bench.model,
        run / layout.MODEL,
        claim=layout.PART,
        card=_card(recipe, result),
        beside={PREPROCESSOR: bench.pixels.to_hf()},
    )
    result["disk_bytes"] = layout.weights_bytes(run)
    write_json(run / layout.RESULT, result)
    wrong = np.flatnonzero(found.guesses != found.labels)
    surest = wrong[np.argsort(-found.sure[wrong], kind="stable")][:_SHOWN]
    mistakes = [
        {
            "pixels": pictures.test.pixels[places[i]],
            "is": pictures.test.names[found.labels[i]],
            "named": pictures.test.names[found.guesses[i]],
            "sure": float(found.sure[i]),
        }
        for i in surest
    ]
    write_report(run / layout.REPORT, run, mistakes)
    return result


def _in_time(recipe: VisionRecipe, bench: Bench, clock: Clock, progress: Progress) -> np.ndarray:
    """The places of all test images, or of as many, evenly spread, as there is time for."""
    count = most = len(bench.test.labels)
    if clock.limited:
        quick_s = timed(lambda: measured(bench, recipe.loop, bench.quick))[1]
        each_s = max(quick_s, 1e-9) / len(bench.quick.labels)
        most = max(len(bench.quick.labels), min(count, int(measuring_seconds(clock) / each_s)))
    if most < count:
        progress.say(f"Measuring on {most:,} of {count:,} test images: time is short ...")
    else:
        progress.say("Measuring on all test images ...")
    return np.linspace(0, count - 1, most).astype(np.int64)


def _classes(found: Scored, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Of each class: how many images of it there are, what they were named, how many rightly."""
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (found.labels, found.guesses), 1)
    return [
        {
            "name": name,
            "images": int(row.sum()),
            "accuracy": wilson(int(row[i]), int(row.sum()))._asdict() if row.any() else None,
            "named": row.tolist(),
        }
        for i, (name, row) in enumerate(zip(names, counts, strict=True))
    ]


def _card(recipe: VisionRecipe, result: dict[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    plan, right = recipe.plan, result["accuracy"]
    return f"""---
library_name: transformers
pipeline_tag: image-classification
tags: [hornbook]
---
# A Transformer for images trained with Hornbook

{result["parameters"]:,} parameters: ViT, {plan.depth} blocks of width {plan.width}, patches of
{plan.patch} pixels. Trained on {result["images"]:,} images seen in {result["steps"]:,} steps, seed
{recipe.request.seed}, {recipe.loop.dtype} products.

Right on {right["value"]:.2%} ({right["low"]:.2%} to {right["high"]:.2%}) of
{result["test_images"]:,} test images.
"""
