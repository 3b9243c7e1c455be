"""What came of a tuned classifier: calibrated, measured on the test texts, the model folder."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from hornbook.adapt import lora
from hornbook.core.files import atomic_file
from hornbook.core.folders import sign
from hornbook.core.metrics import MetricsLog
from hornbook.datasets.labelled import LabelledText
from hornbook.evaluate.classification import (
    ClassScore,
    class_scores,
    classification_scores,
    confusion,
)
from hornbook.evaluate.results import plain
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.folder import save_model
from hornbook.models.text_classifier import softmax
from hornbook.training.calibrate import fit_temperature
from hornbook.training.forecast import timed
from hornbook.workflows.projects.labels.backbones import Backbone, Fresh
from hornbook.workflows.projects.labels.problem import LabelsProblem, evenly
from hornbook.workflows.projects.labels.request import LabelsRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.settle import measuring_seconds

CALIBRATION = "calibration.json"
"""Beside the model: what its logits were divided by. The head has it in it already."""
_LEAST_MEASURED = 50
"""Test texts that are judged however little time is left."""


class TestedTexts(NamedTuple):
    """What a classifier makes of texts whose labels are known.

    probabilities, before: (N, L), calibrated and as they were before that. truth: (N,) places of
    the labels. cut: texts whose end was not read.
    """

    probabilities: np.ndarray
    before: np.ndarray
    truth: np.ndarray
    cut: int


def finish(
    backbone: Backbone,
    recipe: LabelsRecipe,
    problem: LabelsProblem,
    trained: Trained,
    facts: dict[str, Any],
    place: Place,
) -> dict[str, Any]:
    """Calibrate, measure on the test texts and write it all out; returns the facts of
    result.json."""
    temperature, checked, text_s = _calibrate(problem)
    state, splits, labels = trained.state, problem.splits, problem.classifier.labels
    test = _in_time(splits.test, text_s, place)
    result = {
        **facts,
        "task": "classify",
        "model": backbone.name,
        "method": str(recipe.request.method),
        "labels": list(labels),
        "epochs": state.tokens / len(splits.train),
        "best_step": trained.best_step,
        "ended": _ended(trained),
        "parameters": problem.parameters._asdict(),
        "n": len(test),
        "calibration": {"temperature": temperature},
        "validation": checked,
        "texts": splits.books(),
        "cut": {"train": int(problem.training.read.cut.sum())},
        "looks": _evaluations(problem, place),
        "threads": torch.get_num_threads(),
    }
    if test:
        answers = _judge(problem, test, temperature)
        _add_scores(result, answers, labels)
        sign(place.folder, layout.RUN, layout.OUTPUTS)
        _write_outputs(place.folder / layout.OUTPUTS, test, answers, labels)
        place.progress.say(_said(result))
    save_model(
        problem.classifier.model,
        place.folder / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=problem.backbone.folder,
        card=_card(backbone, problem, result),
        beside={CALIBRATION: result["calibration"]},
    )
    result["model_bytes"] = layout.weights_bytes(place.folder / layout.MODEL)
    return result


def _calibrate(problem: LabelsProblem) -> tuple[float, dict[str, int], float]:
    """Divide the logits by what makes them as sure as they are right: their head is linear, so it
    is done for good, and whoever opens the model has calibrated probabilities.

    Returns that temperature, how many texts and labels it was found by (`guessed` and `there`), and
    the seconds that a text took.
    """
    lora.merge(problem.classifier.model)
    sequences, truth = problem.validation.read.sequences, problem.validation.labels
    raw, took_s = timed(lambda: problem.classifier.logits(sequences))
    temperature = fit_temperature(raw, truth)
    divide_logits(problem.classifier.model, temperature)
    guessed, there = (len(np.unique(labels)) for labels in (raw.argmax(1), truth))
    checked = {"texts": len(truth), "guessed": guessed, "there": there}
    return temperature, checked, took_s / len(truth)


@torch.no_grad()
def divide_logits(model: ClassifierNetwork, temperature: float) -> None:
    """Divide a classifier's logits by a temperature, for good."""
    for weight in model.head.parameters():
        weight.div_(temperature)


def _ended(trained: Trained) -> str:
    if trained.stopped:
        return f"nothing better since step {trained.best_step}"
    return "time was short" if trained.state.cuts else "as planned"


def _evaluations(problem: LabelsProblem, place: Place) -> list[dict[str, Any]]:
    """What was measured on the validation texts, and when."""
    rows = MetricsLog(place.folder / layout.METRICS).rows()
    return [
        {
            "step": row["step"],
            "epoch": row["step"] / problem.steps_per_epoch,
            "loss": row["loss"],
            "accuracy": row["accuracy"],
        }
        for row in rows
        if row["kind"] == "validation"
    ]


def _in_time(rows: Sequence[LabelledText], text_s: float, place: Place) -> list[LabelledText]:
    """The test texts, or as many, evenly spread, as there is time for."""
    seconds, most = measuring_seconds(place.clock), len(rows)
    if seconds < most * text_s:
        most = max(min(_LEAST_MEASURED, most), int(seconds / text_s))
        place.progress.say(f"Measuring on {most:,} of {len(rows):,} test texts: time is short ...")
    elif rows:
        place.progress.say(f"Measuring on {most:,} test texts ...")
    return [rows[i] for i in evenly(len(rows), most)]


def _judge(problem: LabelsProblem, rows: Sequence[LabelledText], temperature: float) -> TestedTexts:
    """What the classifier, calibrated, makes of the test texts."""
    classifier = problem.classifier
    read = classifier.read([row.text for row in rows])
    logits = classifier.logits(read.sequences)
    return TestedTexts(
        probabilities=softmax(logits),
        before=softmax(logits * temperature),
        truth=problem.places(rows),
        cut=int(read.cut.sum()),
    )


def _add_scores(result: dict[str, Any], answers: TestedTexts, labels: Sequence[str]) -> None:
    """Put into the result what the test texts say."""
    scores = classification_scores(answers.probabilities, answers.truth, labels)
    before = classification_scores(answers.before, answers.truth, labels)["calibration_error"]
    table = confusion(answers.probabilities.argmax(1), answers.truth, len(labels))
    result["metrics"] = plain(scores)
    result["confusion"] = table.tolist()
    result["classes"] = {k: _class(score) for k, score in class_scores(table, labels).items()}
    after = scores["calibration_error"]
    result["calibration"] |= plain({"error_before": before, "error_after": after})
    result["cut"]["test"] = answers.cut


def _class(score: ClassScore) -> dict[str, Any]:
    """A class's scores as plain data; None where there is no figure."""
    shares = plain({"precision": score.precision, "recall": score.recall})
    f1 = score.f1 if math.isfinite(score.f1) else None
    return {**shares, "f1": f1, "items": score.items}


def _write_outputs(
    path: Path, rows: Sequence[LabelledText], answers: TestedTexts, labels: Sequence[str]
) -> None:
    """A JSON line for each test text: what it is, what it was taken for, how likely each label."""
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8") as lines:
        for row, shares in zip(rows, answers.probabilities, strict=True):
            found = {
                "id": row.id,
                "text": row.text,
                "label": row.label,
                "guess": labels[int(shares.argmax())],
                "probabilities": [round(float(share), 6) for share in shares],
            }
            lines.write(json.dumps(found, ensure_ascii=False) + "\n")


def _said(result: dict[str, Any]) -> str:
    metrics, calibration = result["metrics"], result["calibration"]
    shown = ", ".join(
        f"{name.replace('_', ' ')} {_shown(metrics[name])}"
        for name in ("accuracy", "macro_f1", "auc", "calibration_error")
    )
    before = _figure(calibration["error_before"]["value"])
    return f"{shown} (before dividing logits by {calibration['temperature']:.2f}: {before})"


def _shown(estimate: dict[str, float | None]) -> str:
    value, low, high = (_figure(estimate[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _card(backbone: Backbone, problem: LabelsProblem, result: dict[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    labels, parts, counts = result["labels"], result["texts"], result["parameters"]
    name = (
        f"the preset {backbone.name}, begun afresh"
        if isinstance(backbone, Fresh)
        else backbone.name
    )
    source = f" of {problem.splits.source}" if problem.splits.source else ""
    return f"""---
library_name: transformers
pipeline_tag: text-classification
tags: [hornbook]
---
# A text classifier trained with Hornbook

Labels: {", ".join(labels[:50])}{" and more" if len(labels) > 50 else ""}. The backbone is {name};
of {counts["all"]:,} parameters {counts["trained"]:,} were trained ({result["method"]}) on
{parts["train"]:,} texts{source}, {result["epochs"]:.1f} passes in {result["seconds"]:,.0f} s, the
best weights by {result["validation"]["texts"]:,} validation texts kept. It reads the first
{problem.classifier.model.config.context:,} tokens of a text.

{_measured(result) if result["n"] else ""}Probabilities are calibrated: logits were divided by
{result["calibration"]["temperature"]:.3f} (temperature scaling, Guo et al. 2017), which the head's
weights have in them. They hold for texts like those it was trained on, with labels about as
frequent.
"""


def _measured(result: dict[str, Any]) -> str:
    """A table of the figures on the test texts."""
    metrics, before = result["metrics"], result["calibration"]["error_before"]["value"]
    rows = []
    for name in ("accuracy", "macro_f1", "auc", "calibration_error", "log_loss"):
        value, low, high = (_figure(metrics[name][k], 4) for k in ("value", "low", "high"))
        rows.append(f"| {name.replace('_', ' ')} | {value} | {low} to {high} |\n")
    return f"""| on {result["n"]:,} texts held out | value | 95 % interval |
|---|---|---|
{"".join(rows)}
The calibration error was {_figure(before, 4)} before calibration.

"""
