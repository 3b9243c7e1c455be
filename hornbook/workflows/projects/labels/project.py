"""A text classifier as a user means it: a model and a labelled file in, a measured folder out.

Calls the stages in order: rows, their parts, the training, the texts held out, the folder. Knows
the other packages' front doors; computes nothing itself.
"""

import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from hornbook.adapt.method import Method
from hornbook.core.config import Config
from hornbook.core.errors import Interrupted, UsageError
from hornbook.core.files import hash_file
from hornbook.core.machine import DType, Machine, peak_memory_bytes, versions
from hornbook.core.progress import Progress
from hornbook.datasets.labelled import (
    LabelledText,
    classes_of,
    read_labelled,
    split,
    without_copies,
)
from hornbook.models.folder import load_config, weights_fingerprint
from hornbook.read.documents import Rejection
from hornbook.train.choices import Choice
from hornbook.train.hooks import StopRequest
from hornbook.train.loop import Hook
from hornbook.train.state import TrainState
from hornbook.workflows.projects.labels.bodies import Body, Pretrained, find_body
from hornbook.workflows.projects.labels.fit import Tuning
from hornbook.workflows.projects.labels.result import Told, finish
from hornbook.workflows.projects.labels.training import FEWEST, Fitted, check_rows, train_classifier
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs import old
from hornbook.workflows.runs.recipe import LEAST_MINUTES, check_minutes
from hornbook.workflows.runs.settle import machine_for

_HELD_OUT = 0.1
"""Of the texts, what is held out to test on, and again to validate on."""
_ALL_MOVE = 50_000_000
"""Parameters up to which `full` is meant where no method is named."""
_FEWEST_NAMED = 10
"""Classes without a test text that are named."""
_FEW = 100
"""Test texts below which a warning says how little they can show."""


class ClassifyRequest(Config):
    """What the user asked for.

    body: a preset, or the fingerprint of a model's weights. data: of the file. minutes, epochs: at
    most so long and so many passes; None for no limit, and for what suits the method.
    """

    task: Literal["classify"] = "classify"
    method: Method
    body: str
    data: str
    text_column: str | None = None
    label_column: str | None = None
    minutes: float | None = None
    epochs: float | None = Field(default=None, gt=0, le=10_000)
    class_weights: Literal["balanced", "none"] = "none"
    seed: int = Field(default=0, ge=0, lt=2**63)
    dtype: DType | None = None
    device: str | None = None


class ClassifyRecipe(old.Recorded):
    """What a finished run was made of. model, data: where they lay then."""

    request: ClassifyRequest
    model: str
    data: str


class Rows(NamedTuple):
    """The parts of a file: no two texts in them are the same up to white space.

    copies, rejected: rows left out. text, label: the columns.
    """

    train: list[LabelledText]
    validation: list[LabelledText]
    test: list[LabelledText]
    copies: int
    rejected: list[Rejection]
    text: str
    label: str


def finetune_classifier(
    model: str | Path,
    data: Path,
    out: Path,
    method: str | None = None,
    minutes: float | None = None,
    epochs: float | None = None,
    seed: int = 0,
    text_column: str | None = None,
    label_column: str | None = None,
    class_weights: str = "none",
    dtype: str | None = None,
    device: str | None = None,
    progress: Progress | None = None,
    began: float | None = None,
) -> dict[str, Any]:
    """Tune a body, or train a preset afresh, to label texts; returns the facts of result.json.

    method: None for `full` on bodies of which all may move in minutes, `lora` on larger ones. A
    tenth of the texts is held out to measure on, another to stop, choose and calibrate by, both
    by their contents. began: when the minutes began (time.monotonic), now if None. A finished run
    of the same request is reused. Raises UsageError before any work for a model that is no body, a
    file or columns that are not there, labels from which nothing can be learned, and a folder that
    holds something else; Interrupted after Ctrl-C, when nothing is written.
    """
    began = time.monotonic() if began is None else began
    progress = progress or Progress()
    if minutes is not None:
        check_minutes(minutes, LEAST_MINUTES)
    body = find_body(str(model))
    chosen = _method(body, method)
    values = {
        "method": chosen.plain(),
        "body": _fingerprint(body),
        "data": _hash(data),
        "text_column": text_column,
        "label_column": label_column,
        "minutes": minutes,
        "epochs": epochs,
        "class_weights": class_weights,
        "seed": seed,
        "dtype": dtype,
        "device": device,
    }
    request = ClassifyRequest.parse(values, "finetune --task classify")
    recipe = old.previous(out, request, False, ClassifyRecipe)
    if there := old.finished(out, recipe, progress):
        return there
    progress.say("Reading the texts ...")
    rows = read_parts(data, text_column, label_column)
    for line in _said(rows):
        progress.say(line)
    machine = machine_for(None, device)
    fitted = _train(body, rows, request, machine, out, began, progress)
    told = Told(
        name=body.name,
        fresh=not isinstance(body, Pretrained),
        method=str(request.method),
        data=data.name,
        parts={name: len(getattr(rows, name)) for name in ("train", "validation", "test")},
        copies=rows.copies,
        rejected=len(rows.rejected),
        peak_bytes=peak_memory_bytes(machine.device),
    )
    saved = ClassifyRecipe(
        request=request,
        machine=machine,
        choices=[Choice("body", body.name, "you set it")],
        loop=fitted.trained.loop,
        versions=versions(),
        model=str(model),
        data=str(data.absolute()),
    )
    return finish(out, fitted, rows.test, told, saved, progress)


def _method(body: Body, wanted: str | None) -> Method:
    """What the user set, or what suits the body. Raises UsageError for what a fresh one lacks."""
    if isinstance(body, Pretrained):
        small = load_config(body.place).parameters() <= _ALL_MOVE
        return Method.parse(wanted or ("full" if small else "lora"))
    method = Method.parse(wanted or "full")
    if method.kind != "full":
        raise UsageError(
            f"--method {method} keeps what a model knows already, and {body.name} begins afresh: "
            "only full makes sense."
        )
    return method


def read_parts(path: Path, text_column: str | None, label_column: str | None) -> Rows:
    """The rows of a file, copies left out, in three parts decided by contents.

    Raises UsageError as `read_labelled` and `check_rows` do.
    """
    found = read_labelled(path, text_column, label_column)
    rows, copies = without_copies(found.rows)
    if len(rows) < FEWEST + 2:
        raise UsageError(
            f"{path} has {len(rows):,} different texts; at least {FEWEST + 2} are needed to train, "
            "validate and test."
        )
    rest, test = split(rows, _HELD_OUT, seed=0)
    train, validation = split(rest, _HELD_OUT / (1 - _HELD_OUT), seed=1)
    check_rows(train, validation)
    return Rows(
        train, validation, test, copies, found.rejected, found.text_column, found.label_column
    )


def _train(
    body: Body,
    rows: Rows,
    request: ClassifyRequest,
    machine: Machine,
    out: Path,
    began: float,
    progress: Progress,
) -> Fitted:
    tuning = Tuning(
        method=request.method,
        minutes=request.minutes,
        epochs=request.epochs,
        seed=request.seed,
        class_weights=request.class_weights,
        dtype=request.dtype,
        answering=len(rows.test),
    )
    stop = StopRequest()
    with stop.listening():
        return train_classifier(
            body,
            rows.train,
            rows.validation,
            tuning,
            machine,
            out / layout.TOKENIZER,
            progress,
            [_leaves(stop)],
            began,
        )


def _leaves(stop: StopRequest) -> Hook:
    def hook(state: TrainState) -> None:
        if stop.signal is not None:
            raise Interrupted(
                f"Stopped at step {state.step}; no model was written. The same command begins "
                "anew.",
                stop.signal,
            )

    return hook


def _said(rows: Rows) -> list[str]:
    """What was found in the file, and how it was parted."""
    counts = Counter(row.label for row in (*rows.train, *rows.validation, *rows.test))
    shown = ", ".join(f"{label} {counts[label]:,}" for label in classes_of(counts)[:12])
    more = f" and {len(counts) - 12:,} more" if len(counts) > 12 else ""
    lines = [
        f"Texts in {rows.text!r}, labels in {rows.label!r}: {shown}{more}",
        f"  {len(rows.train):,} to train on, {len(rows.validation):,} to validate on, "
        f"{len(rows.test):,} to test on",
    ]
    lines += [f"  {line}" for line in _rare(rows)]
    if rows.copies:
        lines.append(f"  {rows.copies:,} rows left out: copies of texts before them")
    lines += [f"  left out: {rejection}" for rejection in rows.rejected[:5]]
    if len(rows.test) < _FEW:
        lines.append(
            f"  warning: {len(rows.test)} test texts show large differences only; see the intervals"
        )
    return lines


def _rare(rows: Rows) -> list[str]:
    """Classes too small to be on all sides, and what happens to them."""
    lacking = (("tested", rows.test), ("validated", rows.validation))
    found: list[str] = []
    counts = Counter(row.label for row in (*rows.train, *rows.validation, *rows.test))
    for label in classes_of(counts):
        not_done = [what for what, part in lacking if label not in {row.label for row in part}]
        if not_done and len(found) < _FEWEST_NAMED:
            texts = f"{counts[label]:,} text{'s' if counts[label] > 1 else ''}"
            found.append(f"{label!r} has {texts}: learned from, but not {' nor '.join(not_done)}")
    return found


def _fingerprint(body: Body) -> str:
    return weights_fingerprint(body.place) if isinstance(body, Pretrained) else body.preset


def _hash(data: Path) -> str:
    if not data.is_file():
        raise UsageError(f"{data} does not exist or is no file.")
    return hash_file(data)
