"""What came of an image run: all test images judged, the model folder, its card."""

from typing import Any

import numpy as np

from hornbook.core.stats import wilson
from hornbook.models.folder import save_model
from hornbook.models.pixels import PREPROCESSOR
from hornbook.training.forecast import timed
from hornbook.training.scores import Scored
from hornbook.training.state import TrainState
from hornbook.workflows.projects.images.problem import ImagesProblem
from hornbook.workflows.projects.images.request import ImagesRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.settle import measuring_seconds

_SHOWN = 16
"""Mistakes that the report shows."""


def finish(
    recipe: ImagesRecipe,
    problem: ImagesProblem,
    state: TrainState,
    facts: dict[str, Any],
    place: Place,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measure on the test images and write the model out; returns the facts of result.json, and
    the mistakes that the model was surest of."""
    places, pictures = _in_time(problem, place), problem.pictures
    found = problem.measured(problem.test.some(places))
    result = {
        **facts,
        "images": state.tokens,
        "images_per_second": state.tokens / state.elapsed_s if state.elapsed_s else 0.0,
        "accuracy": found.accuracy._asdict(),
        "error": 1 - found.accuracy.value,
        "nats": found.nats,
        "test_images": len(found.labels),
        "train_images": len(pictures.train.labels),
        "classes": _classes(found, pictures.train.names),
    }
    save_model(
        problem.model,
        place.folder / layout.MODEL,
        claim=layout.PART,
        card=_card(recipe, result),
        beside={PREPROCESSOR: problem.pixels.to_hf()},
    )
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
    return result, mistakes


def _in_time(problem: ImagesProblem, place: Place) -> np.ndarray:
    """The places of all test images, or of as many, evenly spread, as there is time for."""
    count = most = len(problem.test.labels)
    if place.clock.limited:
        quick = len(problem.quick.labels)
        each_s = max(timed(problem.score)[1], 1e-9) / quick
        most = max(quick, min(count, int(measuring_seconds(place.clock) / each_s)))
    if most < count:
        place.progress.say(f"Measuring on {most:,} of {count:,} test images: time is short ...")
    else:
        place.progress.say("Measuring on all test images ...")
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


def _card(recipe: ImagesRecipe, result: dict[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    plan, right = recipe.plan, result["accuracy"]
    return f"""---
library_name: transformers
pipeline_tag: image-classification
tags: [hornbook]
---
# A Transformer for images trained with Hornbook

{result["parameters"]["all"]:,} parameters: ViT, {plan.depth} blocks of width {plan.width},
patches of {plan.patch} pixels. Trained on {result["images"]:,} images seen in
{result["steps"]:,} steps, seed {recipe.request.seed}, {recipe.loop.dtype} products.

Right on {right["value"]:.2%} ({right["low"]:.2%} to {right["high"]:.2%}) of
{result["test_images"]:,} test images.
"""
