"""What came of a tuned classifier: the test texts judged, the model folder, its card, the result.

Knows a fitted classifier; trains nothing.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.files import atomic_file, write_json
from hornbook.core.folders import sign
from hornbook.core.progress import Progress
from hornbook.core.stats import Estimate
from hornbook.datasets.labelled import LabelledText
from hornbook.evaluate.classification import (
    ClassScore,
    class_scores,
    classification_scores,
    confusion,
)
from hornbook.evaluate.results import plain
from hornbook.models.folder import save_model
from hornbook.models.text_classifier import softmax
from hornbook.workflows.projects.labels.training import Fitted
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.old import Recorded

CALIBRATION = "calibration.json"
"""Beside the model: what its logits were divided by. The head has it in it already."""


class Told(NamedTuple):
    """What the result says of how the classifier came about.

    name: of the body. fresh: it began with random weights. data: the file's name. parts: texts of
    each. copies, rejected: rows left out. peak_bytes: of memory in training.
    """

    name: str
    fresh: bool
    method: str
    data: str
    parts: dict[str, int]
    copies: int
    rejected: int
    peak_bytes: int


class Judged(NamedTuple):
    """probabilities, before: (N, L), calibrated and as they were before that. truth: (N,) places
    of the labels. cut: texts whose end was not read.
    """

    probabilities: np.ndarray
    before: np.ndarray
    truth: np.ndarray
    cut: int


def judge(fitted: Fitted, rows: Sequence[LabelledText]) -> Judged:
    """What a classifier makes of rows whose labels it knows."""
    places = {label: i for i, label in enumerate(fitted.labels)}
    read = fitted.classifier.read([row.text for row in rows])
    logits = fitted.classifier.logits(read.sequences)
    return Judged(
        probabilities=softmax(logits),
        before=softmax(logits * fitted.trained.temperature),
        truth=np.array([places[row.label] for row in rows], np.int64),
        cut=int(read.cut.sum()),
    )


def finish(
    run: Path,
    fitted: Fitted,
    test: Sequence[LabelledText],
    told: Told,
    recipe: Recorded,
    progress: Progress,
) -> dict[str, Any]:
    """Measure on the test texts and write it all out; returns the facts of result.json."""
    progress.say(f"Measuring on {len(test):,} test texts ...")
    judged = judge(fitted, test)
    trained, labels = fitted.trained, fitted.labels
    scores = classification_scores(judged.probabilities, judged.truth, labels)
    before = classification_scores(judged.before, judged.truth, labels)["calibration_error"]
    table = confusion(judged.probabilities.argmax(1), judged.truth, len(labels))
    result: dict[str, Any] = {
        "run": str(run),
        "task": "classify",
        "model": told.name,
        "method": told.method,
        "labels": list(labels),
        "seconds": trained.seconds,
        "steps": trained.steps,
        "epochs": trained.epochs,
        "best_step": trained.best_step,
        "ended": trained.reason or "as planned",
        "parameters": {"trained": trained.parameters.trained, "total": trained.parameters.all},
        "peak_bytes": told.peak_bytes,
        "n": len(test),
        "metrics": plain(scores),
        "confusion": table.tolist(),
        "classes": {label: _class(score) for label, score in class_scores(table, labels).items()},
        "calibration": {
            "temperature": trained.temperature,
            **plain({"error_before": before, "error_after": scores["calibration_error"]}),
        },
        "texts": {**told.parts, "copies": told.copies, "rejected": told.rejected},
        "cut": {"train": trained.cut, "test": judged.cut},
        "looks": trained.looks,
        "threads": trained.threads,
    }
    save_model(
        fitted.classifier.model,
        run / layout.MODEL,
        claim=layout.PART,
        tokenizer_folder=fitted.tokenizer,
        card=_card(fitted, told, labels, scores, before),
        beside={CALIBRATION: result["calibration"]},
    )
    result["model_bytes"] = layout.weights_bytes(run / layout.MODEL)
    sign(run, layout.RUN, layout.OUTPUTS)
    _write_outputs(run / layout.OUTPUTS, test, judged, labels)
    recipe.save(run)
    write_json(run / layout.RESULT, result)
    progress.say(_said(scores, before, trained.temperature))
    return result


def _class(score: ClassScore) -> dict[str, Any]:
    """A class's scores as plain data; None where there is no figure."""
    shares = plain({"precision": score.precision, "recall": score.recall})
    f1 = score.f1 if math.isfinite(score.f1) else None
    return {**shares, "f1": f1, "items": score.items}


def _write_outputs(
    path: Path, rows: Sequence[LabelledText], judged: Judged, labels: Sequence[str]
) -> None:
    """A JSON line for each test text: what it is, what it was taken for, how likely each label."""
    with atomic_file(path) as aside, aside.open("w", encoding="utf-8") as lines:
        for row, shares in zip(rows, judged.probabilities, strict=True):
            found = {
                "id": row.id,
                "text": row.text,
                "label": row.label,
                "guess": labels[int(shares.argmax())],
                "probabilities": [round(float(share), 6) for share in shares],
            }
            lines.write(json.dumps(found, ensure_ascii=False) + "\n")


def _said(scores: dict[str, Estimate], before: Estimate, temperature: float) -> str:
    shown = ", ".join(
        f"{name.replace('_', ' ')} {_shown(scores[name])}"
        for name in ("accuracy", "macro_f1", "auc", "calibration_error")
    )
    return f"{shown} (before dividing logits by {temperature:.2f}: {before.value:.3f})"


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _card(
    fitted: Fitted, told: Told, labels: Sequence[str], scores: dict[str, Estimate], before: Estimate
) -> str:
    """Markdown with the front matter that model hubs read."""
    trained = fitted.trained
    body = f"the preset {told.name}, begun afresh" if told.fresh else told.name
    rows = "".join(
        f"| {name.replace('_', ' ')} | {scores[name].value:.4f} | "
        f"{scores[name].low:.4f} to {scores[name].high:.4f} |\n"
        for name in ("accuracy", "macro_f1", "auc", "calibration_error", "log_loss")
    )
    return f"""---
library_name: transformers
pipeline_tag: text-classification
tags: [hornbook]
---
# A text classifier trained with Hornbook

Labels: {", ".join(labels[:50])}{" and more" if len(labels) > 50 else ""}. The body is {body}; of
{trained.parameters.all:,} parameters {trained.parameters.trained:,} were trained ({told.method})
on {told.parts["train"]:,} texts of {told.data}, {trained.epochs:.1f} passes in
{trained.seconds:,.0f} s, the best weights by {told.parts["validation"]:,} validation texts kept. It
reads the first {fitted.classifier.model.config.context:,} tokens of a text.

| on {told.parts["test"]:,} texts held out | value | 95 % interval |
|---|---|---|
{rows}
Probabilities are calibrated: logits were divided by {trained.temperature:.3f} (temperature scaling,
Guo et al. 2017), which the head's weights have in them; the calibration error was
{before.value:.4f} before. They hold for texts like those it was trained on, with labels about as
frequent.
"""
