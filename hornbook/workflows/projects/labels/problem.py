"""Learning to label texts: a classifier of any backbone, or its head alone on vectors read once.

Looked at are the validation texts, calibrated as the classifier will be when it is done: that a
model in training is too sure of itself is mended afterwards, and must not end the training.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.adapt.method import parameter_counts
from hornbook.batches.labelled import LabelledTexts, LabelledVectors
from hornbook.core.clock import NO_LIMIT, Clock
from hornbook.core.machine import Machine
from hornbook.datasets.labelled import LabelledText
from hornbook.models.classifier import ClassifierHead, ClassifierNetwork, on_backbone
from hornbook.models.convert import to_hf
from hornbook.models.text_classifier import Read, TextClassifier
from hornbook.models.transfer import copy_backbone
from hornbook.nn.pooling import PoolingConfig
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.training.calibrate import fit_temperature, mean_loss
from hornbook.training.checkpoint import trainable
from hornbook.training.class_weights import balanced, weighted_class_label
from hornbook.training.loop import LoopConfig
from hornbook.training.objective import Objective, class_label
from hornbook.training.optimiser import Optimiser
from hornbook.training.precision import product_type
from hornbook.training.problem import Problem
from hornbook.training.state import TrainState
from hornbook.workflows.projects.labels.backbones import Backbone, Fresh, Prepared, prepare_backbone
from hornbook.workflows.projects.labels.data import LabelledSplits
from hornbook.workflows.projects.labels.rates import pooling_of
from hornbook.workflows.projects.labels.request import LabelsPlan, LabelsRequest
from hornbook.workflows.runs.place import Place

_LOOKED = 1000
"""Validation texts that decide when to stop and how sure to be, at most: more would cost
training."""
_READING = 0.6
"""Of the minutes, what a backbone that stays may take to read the texts."""
_ACTIVATIONS = 2**21
"""Tokens times channels computed at once: six layers keep about a gigabyte for the gradient."""
_WIDE = 256
"""Channels from which shorter number types pay: smaller products are not what takes the time."""
_DISK_RATE = 200e6
"""Bytes a second that a slow disk takes: the best weights are kept there."""


class Examples(NamedTuple):
    """Texts as the backbone reads them, with the places of their labels (N,) int64."""

    read: Read
    labels: np.ndarray

    def some(self, count: int) -> "Examples":
        """At most `count` of them, evenly spread."""
        places = evenly(len(self.labels), count)
        read = Read(
            [self.read.sequences[i] for i in places],
            self.read.tokens[places],
            self.read.empty[places],
        )
        return Examples(read, self.labels[places])


def evenly(count: int, most: int) -> np.ndarray:
    """At most `most` of the places 0, 1... before `count`, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)


class LabelsProblem(Problem):
    """The label of a text. validation: the texts that are looked at.

    least_looks: evaluations that there must be time for.
    """

    measure = "loss"
    targets = "texts"
    least_looks = 4

    plan: LabelsPlan
    batches: LabelledTexts | LabelledVectors

    def __init__(
        self,
        classifier: TextClassifier,
        splits: LabelledSplits,
        backbone: Prepared,
        request: LabelsRequest,
        plan: LabelsPlan,
        machine: Machine,
    ) -> None:
        self.classifier, self.splits, self.backbone = classifier, splits, backbone
        self.request, self.plan, self.patience = request, plan, plan.patience
        self.fixed = bool(request.plan.rows)
        self.model: nn.Module = classifier.model
        self.parameters = parameter_counts(classifier.model)
        looked_at = [splits.validation[i] for i in evenly(len(splits.validation), _LOOKED)]
        self.training = Examples(backbone.read, self.places(splits.train))
        read = classifier.read([row.text for row in looked_at])
        self.validation = Examples(read, self.places(looked_at))
        self.objective: Objective = class_label
        if request.class_weights == "balanced":
            weights = balanced(self.training.labels, len(splits.labels))
            self.objective = weighted_class_label(weights)
        wide = machine.device != "cpu" or classifier.model.config.width >= _WIDE
        self.loop = LoopConfig(
            steps=1,
            micro_rows=plan.rows,
            schedule=request.schedule,
            device=machine.device,
            dtype=request.dtype or (machine.dtype if wide else "float32"),
            seed=request.seed,
        )
        self.resize(plan.rows)

    @property
    def tokenizer(self) -> SequenceTokenizer:
        """What reads the texts."""
        return self.classifier.tokenizer

    def places(self, rows: Sequence[LabelledText]) -> np.ndarray:
        """(N,) of their labels."""
        places = {label: i for i, label in enumerate(self.classifier.labels)}
        return np.array([places[row.label] for row in rows], np.int64)

    def resize(self, size: int) -> None:
        self.plan = self.plan.model_copy(update={"rows": size})
        self.loop = self.loop.model_copy(update={"micro_rows": size})
        self.batches = LabelledTexts(
            self.training.read.sequences,
            self.training.labels,
            size,
            self.request.seed,
            self.classifier.tokenizer.padding,
            alike=True,
            at_once=max(1, _ACTIVATIONS // self.classifier.model.config.width),
        )
        self.steps_per_epoch = self.batches.steps_per_epoch

    def look_at(self, count: int) -> None:
        """At most so many of the validation texts from now on."""
        self.validation = self.validation.some(count)
        self.plan = self.plan.model_copy(update={"validation": len(self.validation.labels)})

    def gather(self, clock: Clock, place: Place) -> None:
        """Read what is read once and for all, as far as there is time; here nothing is."""

    def begin(self) -> TrainState:
        """With the weights as they are: whoever takes a step to try it takes it back."""
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        return TrainState(self.model, Optimiser(self.model, self.request.optimiser, dtype))

    def look_s(self, text_s: float) -> float:
        """Seconds of looking at the validation texts, the best weights written besides."""
        size = sum(weight.numel() * weight.element_size() for _, weight in trainable(self.model))
        return text_s * len(self.validation.labels) + size / _DISK_RATE

    def logits(self) -> np.ndarray:
        """(N, L) of the validation texts, as they are computed in training."""
        with product_type(self.loop.device, self.loop.dtype):
            return self.classifier.logits(self.validation.read.sequences)

    def score(self) -> dict[str, float]:
        logits, labels = self.logits(), self.validation.labels
        loss = mean_loss(logits, labels, fit_temperature(logits, labels))
        return {"loss": loss, "accuracy": float((logits.argmax(1) == labels).mean())}

    def sides(self) -> tuple[Iterable[str], Iterable[str]]:
        held_out = (*self.splits.validation, *self.splits.test)
        return (row.text for row in self.splits.train), (row.text for row in held_out)

    def said(self, figures: dict[str, float]) -> str:
        return (
            f"{figures['accuracy']:.1%} of {len(self.validation.labels):,} validation texts "
            f"right, loss {figures['loss']:.4f}"
        )

    def gathered(self, sequences: Sequence[np.ndarray]) -> Tensor:
        """What the backbone makes of some texts, (N, D)."""
        with product_type(self.loop.device, self.loop.dtype):
            return torch.from_numpy(self.classifier.gathered(sequences))


class HeadProblem(LabelsProblem):
    """A backbone that stays is read once, and the head is trained on the vectors it gave."""

    least_looks = 1

    def gather(self, clock: Clock, place: Place) -> None:
        """Of more texts than there is time for, read some that the seed draws."""
        self._held_out = self.gathered(self.validation.read.sequences)
        count, parts = len(self.training.labels), list[Tensor]()
        order = np.random.default_rng(self.request.seed).permutation(count)
        order, size = order[: self.plan.vectors], 8 * self.plan.rows
        for start in range(0, len(order), size):
            if parts and clock.left_s(_READING) < 0:
                break
            chosen = order[start : start + size]
            parts.append(self.gathered([self.training.read.sequences[i] for i in chosen]))
        vectors = torch.cat(parts)
        if len(vectors) < count:
            place.progress.say(f"  time to read {len(vectors):,} of {count:,} training texts")
        labels = self.training.labels[order[: len(vectors)]]
        self.plan = self.plan.model_copy(update={"vectors": len(vectors)})
        self.batches = LabelledVectors(vectors, labels, self.plan.rows, self.request.seed)
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.model = ClassifierHead(self.classifier.model)

    def look_s(self, text_s: float) -> float:
        return 0.0  # of vectors that were read before

    @torch.no_grad()
    def logits(self) -> np.ndarray:
        found: np.ndarray = self.model(self._held_out.to(self.loop.device)).float().cpu().numpy()
        return found


def prepare(
    splits: LabelledSplits,
    backbone: Backbone,
    request: LabelsRequest,
    plan: LabelsPlan,
    machine: Machine,
    place: Place,
) -> LabelsProblem:
    """Open the backbone, read the texts; what would fail at the end fails here.

    Raises UsageError for a method that the backbone has no parts for.
    """
    texts = [row.text for row in splits.train]
    prepared = prepare_backbone(backbone, texts, plan, request.minutes, machine.device, place)
    pooling = request.pooling or pooling_of(request.method, isinstance(backbone, Fresh))
    model = _build(prepared, splits.labels, request, plan, pooling).to(machine.device)
    assert isinstance(model, ClassifierNetwork)
    if prepared.source is not None:
        copy_backbone(prepared.source, model)
    request.method.apply(model, request.seed)
    kind = HeadProblem if request.method.kind == "head" else LabelsProblem
    problem = kind(
        TextClassifier(model, prepared.tokenizer),
        splits,
        prepared._replace(source=None),  # its weights are in the model now
        request,
        plan,
        machine,
    )
    if cut := int(problem.training.read.cut.sum()):
        place.progress.say(
            f"  {cut:,} of {len(texts):,} texts are longer than {model.config.context} tokens; "
            "their ends are not read."
        )
    if plan.validation is not None:
        problem.look_at(plan.validation)
        problem.gather(NO_LIMIT, place)
    return problem


def _build(
    prepared: Prepared,
    labels: Sequence[str],
    request: LabelsRequest,
    plan: LabelsPlan,
    pooling: PoolingConfig | None,
) -> nn.Module:
    """The classifier with new weights; what could not be saved is refused now."""
    config = on_backbone(prepared.config, labels, pooling)
    config = config.model_copy(update={"context": min(config.context, plan.context)})
    to_hf(config)
    return config.build(request.seed)
