"""A text classifier of any body: labelled texts in, a fitted classifier with its figures out.

The same call serves `finetune` and the rungs of a comparison: the same minutes for all, the best
weights by the validation part kept, probabilities calibrated on it. Knows the other packages'
front doors; knows nothing of run folders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from hornbook.adapt import lora
from hornbook.adapt.method import ParameterCounts, parameter_counts
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError, nearest
from hornbook.core.machine import Machine
from hornbook.core.progress import Progress
from hornbook.datasets.labelled import LabelledText, classes_of
from hornbook.models.classifier import Classifier, ClassifierConfig, on_backbone
from hornbook.models.convert import to_hf
from hornbook.models.text_classifier import TextClassifier, read_texts
from hornbook.models.transfer import copy_backbone
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.train.calibrate import fit_temperature, mean_loss
from hornbook.train.loop import Hook, LoopConfig
from hornbook.workflows.projects.labels.bodies import CONTEXT, Body, Fresh, Prepared, prepare_body
from hornbook.workflows.projects.labels.fit import LOOKED, Examples, Tuning, evenly, fit
from hornbook.workflows.projects.labels.rates import pooling_of

FEWEST = 10
"""Texts below which nothing is learned that could be told from chance."""


class Trained(NamedTuple):
    """What training came to.

    seconds: from the first preparation to the calibrated model. steps: taken, of those that `loop`
    planned. epochs: passes over the texts. best_step: of the weights that were kept. reason: why it
    ended before the plan, or "". loss: nats a validation text, calibrated. temperature: what logits
    were divided by. parameters: that moved, and all. cut: training texts whose end was not read.
    looks: what was measured on the validation part, and when. threads: that computed at its end.
    """

    seconds: float
    steps: int
    epochs: float
    best_step: int
    reason: str
    loss: float
    temperature: float
    parameters: ParameterCounts
    cut: int
    loop: LoopConfig
    looks: list[dict[str, Any]]
    threads: int


@dataclass(frozen=True)
class Fitted:
    """A classifier that is trained and calibrated. tokenizer: the folder of its files.

    raw, labels_there: its logits (N, L) of the validation texts looked at, before calibration, and
    the places of their labels (N,).
    """

    classifier: TextClassifier
    trained: Trained
    tokenizer: Path
    raw: np.ndarray
    labels_there: np.ndarray

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' names in the order of the columns of `probabilities`."""
        return self.classifier.labels

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, L) float64, calibrated, rows that sum to 1."""
        return self.classifier.probabilities(texts)


def train_classifier(
    body: Body,
    train_rows: Sequence[LabelledText],
    validation_rows: Sequence[LabelledText],
    tuning: Tuning,
    machine: Machine,
    folder: Path,
    progress: Progress | None = None,
    hooks: Sequence[Hook] = (),
    began: float | None = None,
) -> Fitted:
    """Train a classifier of the labels of `train_rows` on a body; the same for the same seed,
    unless minutes decide how many steps there are.

    folder: where the files of a tokenizer may be put; a new one. hooks: called after every step.
    began: when the minutes began (time.monotonic), now if None.
    Raises UsageError, before any work, for rows from which nothing can be learned or measured, and
    for a method that the body has no parts for; HornbookError where there is too little time.
    """
    clock = Clock.start(tuning.minutes, began)
    progress = progress or Progress(quiet=True)
    labels = check_rows(train_rows, validation_rows)
    torch.set_num_threads(machine.threads)
    texts = [row.text for row in train_rows]
    prepared = prepare_body(body, texts, folder, machine.device, progress)
    model, parameters = _build(body, prepared, labels, tuning, machine)
    prepared = prepared._replace(source=None)  # its weights are in the model now
    looked_at = [validation_rows[i] for i in evenly(len(validation_rows), LOOKED)]
    train, validation = (
        _examples(model.config, prepared, rows, labels) for rows in (train_rows, looked_at)
    )
    cut = int(train.read.cut.sum())
    if cut:
        progress.say(
            f"  {cut:,} of {len(texts):,} texts are longer than {model.config.context} tokens; "
            "their ends are not read."
        )
    classifier = TextClassifier(model, prepared.tokenizer)
    fresh = isinstance(body, Fresh)
    found = fit(classifier, fresh, train, validation, tuning, machine, clock, progress, hooks)
    lora.merge(model)
    validation = found.validation
    raw = classifier.logits(validation.read.sequences)
    temperature = fit_temperature(raw, validation.labels)
    cool(model, temperature)
    trained = Trained(
        seconds=clock.used_s(),
        steps=found.steps,
        epochs=found.seen / len(texts),
        best_step=found.kept.step,
        reason=found.kept.reason,
        loss=mean_loss(raw, validation.labels, temperature),
        temperature=temperature,
        parameters=parameters,
        cut=cut,
        loop=found.loop,
        looks=found.looks,
        threads=torch.get_num_threads(),
    )
    return Fitted(classifier, trained, prepared.folder, raw, validation.labels)


def check_rows(
    train_rows: Sequence[LabelledText], validation_rows: Sequence[LabelledText]
) -> list[str]:
    """The labels to learn, in the order of the logits.

    Raises UsageError for too few rows, for one class only, and for a validation label that is not
    in the training part.
    """
    labels = classes_of(row.label for row in train_rows)
    if len(train_rows) < FEWEST or not validation_rows:
        raise UsageError(
            f"{len(train_rows):,} texts to train on and {len(validation_rows):,} to validate on "
            f"are too few; at least {FEWEST} and one are needed."
        )
    if len(labels) < 2:
        raise UsageError(
            f"All {len(train_rows):,} training texts have the label {labels[0]!r}. At least two "
            "labels are needed."
        )
    for row in validation_rows:
        if row.label not in labels:
            raise UsageError(
                f"The label {row.label!r} of the validation text {row.id} is not in the training "
                f"part. {nearest(row.label, labels)}"
            )
    return labels


@torch.no_grad()
def cool(model: Classifier, temperature: float) -> None:
    """Divide a classifier's logits by a temperature, for good: its head is linear.

    Whoever opens the model, here or elsewhere, has calibrated probabilities then.
    """
    for weight in model.head.parameters():
        weight.div_(temperature)


def _build(
    body: Body, prepared: Prepared, labels: Sequence[str], tuning: Tuning, machine: Machine
) -> tuple[Classifier, ParameterCounts]:
    """The model with what the method added and froze, and how many parameters move."""
    fresh = isinstance(body, Fresh)
    pooling = tuning.pooling or pooling_of(tuning.method, fresh)
    config = on_backbone(prepared.config, labels, pooling)
    assert isinstance(config.embedding, EmbeddingConfig)
    if not isinstance(config.embedding.positions, int):
        # Nothing is tied to the longest text: what is not read in training is not read afterwards.
        config = config.model_copy(update={"context": min(config.context, CONTEXT)})
    to_hf(config)  # what could not be saved is refused now, not after the training
    model = config.build(tuning.seed).to(machine.device)
    assert isinstance(model, Classifier)
    if prepared.source is not None:
        copy_backbone(prepared.source, model)
    tuning.method.apply(model, tuning.seed)
    return model, parameter_counts(model)


def _examples(
    config: ClassifierConfig,
    prepared: Prepared,
    rows: Sequence[LabelledText],
    labels: Sequence[str],
) -> Examples:
    places = {label: i for i, label in enumerate(labels)}
    read = read_texts(prepared.tokenizer, [row.text for row in rows], config.context)
    return Examples(read, np.array([places[row.label] for row in rows], np.int64))
