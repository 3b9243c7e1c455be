"""The fitting itself: how many steps there are, what is looked at between them, what is kept.

A body that stays is read once, and the head is trained on the vectors it gave. Knows training and
classifiers; knows nothing of where texts or bodies come from.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from hornbook.adapt.method import Method
from hornbook.batches.labelled import LabelledTexts, LabelledVectors
from hornbook.core.clock import Clock
from hornbook.core.config import Config
from hornbook.core.errors import HornbookError
from hornbook.core.machine import DType, Machine
from hornbook.core.progress import Progress
from hornbook.models.classifier import ClassifierHead
from hornbook.models.text_classifier import Read, TextClassifier
from hornbook.nn.pooling import PoolingConfig
from hornbook.train.calibrate import fit_temperature, mean_loss
from hornbook.train.class_weights import balanced, weighted_class_label
from hornbook.train.early_stopping import Kept, Stopping, train_best
from hornbook.train.loop import Hook, LoopConfig
from hornbook.train.objective import Objective, class_label
from hornbook.train.optimiser import Optimiser, OptimiserConfig
from hornbook.train.precision import product_type
from hornbook.train.schedule import ScheduleConfig
from hornbook.train.state import TrainState
from hornbook.workflows.projects.labels.pace import StepBatches, step_seconds
from hornbook.workflows.projects.labels.rates import SCHEDULE, rates_of
from hornbook.workflows.runs.settle import faster_threads

_LOOKS_A_PASS, _LEAST_LOOKS = 2, 4
_PATIENCE, _LEAST_PATIENCE = 1 / 2, 4
"""Looks in a row without a better one that end the training: a share of all, and at least."""
_SAID = 12
"""Lines about looks that a run prints."""
_TIMING = 0.03
"""Of the minutes, what timing steps may take."""
_LEFT, _OVERTIME = 0.9, 1.1
"""Of the minutes: what steps and looks may fill, and when a machine that has slowed is stopped."""
LOOKED, _LEAST_LOOKED, _LOOKING = 1000, 50, 0.25
"""Validation texts that decide when to stop and how sure to be: at most, since more would cost
training; at least, however little time there is; and the share of the minutes to read them in."""
_ANSWERING = 0.4
"""Of what is left, the most that is kept for reading texts afterwards."""
_FEWEST_ROWS, _FEWEST_STEPS, _TRAINED = 4, 40, 3
"""Texts a step at least, where time is short; steps for which texts a step become fewer; and how
many times as long as reading a text learning from it takes."""
_PASSES = 2
"""Over all texts, with which steps are enough however few they are."""
_PROBED = 16
"""Validation texts read to learn how long one takes."""
_READING = 0.6
"""Of the minutes, what a body that stays may take to read the texts."""
_ACTIVATIONS = 2**21
"""Tokens times channels computed at once: six layers keep about a gigabyte for the gradient."""
_WIDE = 256
"""Channels from which shorter number types pay: smaller products are not what takes the time."""


class Tuning(Config):
    """How a classifier is trained.

    minutes: at most so long, preparations included; None for no limit. epochs: passes over the
    training texts, None for what suits the method. rows: texts a step. class_weights: balanced
    lets rare labels count for more; probabilities are then those of labels equally frequent.
    optimiser, pooling: None for what suits the body. dtype: of products in training, None for what
    is faster here. answering: texts that are read afterwards, for which the minutes must suffice
    too. least_steps: where there is time for fewer, nothing is trained.
    """

    method: Method
    minutes: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    epochs: float | None = Field(default=None, gt=0, le=10_000)
    seed: int = Field(default=0, ge=0, lt=2**63)
    rows: PositiveInt = 32
    class_weights: Literal["balanced", "none"] = "none"
    optimiser: OptimiserConfig | None = None
    schedule: ScheduleConfig = SCHEDULE
    pooling: PoolingConfig | None = None
    dtype: DType | None = None
    answering: int = Field(default=0, ge=0)
    least_steps: PositiveInt = 1


class Examples(NamedTuple):
    """Texts as the body reads them, with the places of their labels (N,) int64."""

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


class Found(NamedTuple):
    """validation: the texts looked at. steps: taken of `loop.steps`. seen: texts, counted each
    time. looks: step, epoch, loss and accuracy of each look.
    """

    validation: Examples
    kept: Kept
    loop: LoopConfig
    steps: int
    seen: int
    looks: list[dict[str, Any]]


class _Work(NamedTuple):
    """What is trained on what: the whole classifier on texts, or its top on vectors.

    logits: (N, L) of the validation part as the model is now.
    """

    model: nn.Module
    batches: StepBatches
    logits: Callable[[], np.ndarray]


def fit(
    classifier: TextClassifier,
    fresh: bool,
    training: Examples,
    validation: Examples,
    tuning: Tuning,
    machine: Machine,
    clock: Clock,
    progress: Progress,
    hooks: Sequence[Hook] = (),
) -> Found:
    """Train what may move of a classifier; leaves it with the best weights found.

    fresh: its body knows nothing yet. validation: of these, as many are looked at as there is time
    for.
    """
    model = classifier.model
    rates = rates_of(tuning.method, fresh, model.config.width)
    wide = machine.device != "cpu" or model.config.width >= _WIDE
    dtype = tuning.dtype or (machine.dtype if wide else "float32")
    loop = LoopConfig(
        steps=1,
        micro_rows=tuning.rows,
        schedule=tuning.schedule,
        device=machine.device,
        dtype=dtype,
        seed=tuning.seed,
    )
    head = tuning.method.kind == "head"
    if clock.limited and machine.device == "cpu":
        tried = validation.some(tuning.rows).read.sequences
        faster_threads(partial(_gathered, classifier, tried, loop), machine, progress.say)
    text_s = _text_seconds(classifier, validation, loop, clock)
    clock = _without_answering(clock, text_s * tuning.answering)
    if not head:
        tuning = _fewer_rows(tuning, text_s, len(training.labels), clock)
    loop = loop.model_copy(update={"micro_rows": tuning.rows})
    validation = _looked_at(validation, text_s, clock, 1 if head else _LEAST_LOOKS)
    reading_s = text_s * len(validation.labels)
    if head:
        work = _on_vectors(classifier, training, validation, tuning, loop, clock, progress)
    else:
        work = _on_texts(classifier, training, validation, tuning, loop)
    objective: Objective = class_label
    if tuning.class_weights == "balanced":
        objective = weighted_class_label(balanced(training.labels, len(classifier.labels)))

    def begin() -> TrainState:
        config = tuning.optimiser or rates.optimiser
        return TrainState(work.model, Optimiser(work.model, config, getattr(torch, dtype)))

    pass_steps = work.batches.steps_per_epoch
    steps = max(1, round((tuning.epochs or rates.epochs) * pass_steps))
    if clock.limited:
        step_s = step_seconds(begin, objective, work.batches, loop, _TIMING * clock.left_s())
        look_s = 0.0 if head else reading_s  # a look at vectors that were read before takes no time
        left_s = clock.left_s(_LEFT) - reading_s  # read again at the end, to calibrate
        fit_in = _fitting(left_s, step_s, look_s, pass_steps)
        if tuning.least_steps > 1 and fit_in < min(steps, tuning.least_steps, _PASSES * pass_steps):
            raise _too_little(max(0, int(fit_in)), pass_steps)
        steps = max(1, min(steps, int(fit_in)))
    loop = loop.model_copy(update={"steps": steps})
    every = max(1, min(math.ceil(pass_steps / _LOOKS_A_PASS), steps // _LEAST_LOOKS))
    watch = _Watch(work, validation.labels, pass_steps, steps, every, progress)
    stopping = Stopping(
        every=every,
        patience=max(_LEAST_PATIENCE, math.ceil(_PATIENCE * steps / every)),
        deadline=time.perf_counter() + clock.left_s(_OVERTIME) if clock.limited else None,
    )
    progress.say(f"  {steps:,} steps of {tuning.rows} texts, {steps / pass_steps:.1f} passes")
    state = begin()
    watch.state = state
    with progress.bar("training", steps, "steps") as advance:
        count = [*hooks, lambda state: advance(1)]
        kept = train_best(state, objective, work.batches, loop, watch, stopping, count)
    if kept.reason:
        progress.say(f"  ended at step {state.step}: {kept.reason}")
    return Found(validation, kept, loop, state.step, state.tokens, watch.looks)


def _fitting(left_s: float, step_s: float, look_s: float, pass_steps: float) -> float:
    """Steps that there is time for, with the looks between them."""
    return min(
        (left_s - _LEAST_LOOKS * look_s) / step_s,
        left_s / (step_s + _LOOKS_A_PASS * look_s / pass_steps),
    )


class _Watch:
    """Measures the loss on the validation part and writes it down.

    Calibrated, as the classifier will be when it is done: that a model in training is too sure of
    itself is mended afterwards, and must not end the training.
    """

    def __init__(
        self,
        work: _Work,
        labels: np.ndarray,
        pass_steps: float,
        steps: int,
        every: int,
        progress: Progress,
    ) -> None:
        self._work, self._labels, self._progress = work, labels, progress
        self._pass_steps, self._steps = pass_steps, steps
        self._said_every = max(1, math.ceil(steps / every / _SAID))
        self.looks: list[dict[str, Any]] = []
        self.state: TrainState | None = None

    def __call__(self) -> float:
        assert self.state is not None
        logits, step = self._work.logits(), self.state.step
        loss = mean_loss(logits, self._labels, fit_temperature(logits, self._labels))
        right = float((logits.argmax(1) == self._labels).mean())
        passes = step / self._pass_steps
        self.looks.append({"step": step, "epoch": passes, "loss": loss, "accuracy": right})
        if len(self.looks) % self._said_every == 0 or step == self._steps:
            self._progress.say(
                f"  step {step:>5} of {self._steps}: {right:.1%} of {len(self._labels):,} "
                f"validation texts right, loss {loss:.4f}"
            )
        return loss


def _text_seconds(
    classifier: TextClassifier, validation: Examples, loop: LoopConfig, clock: Clock
) -> float:
    """What reading a text takes; 0 where nothing limits the time."""
    if not clock.limited:
        return 0.0
    probe = validation.some(_PROBED).read.sequences
    _gathered(classifier, probe[:1], loop)  # kernels are prepared in the first
    started = time.perf_counter()
    _gathered(classifier, probe, loop)
    return (time.perf_counter() - started) / len(probe)


def _without_answering(clock: Clock, answering_s: float) -> Clock:
    """The same clock less what reading texts afterwards takes, or a part of them."""
    if clock.minutes is None:
        return clock
    return clock._replace(
        minutes=clock.minutes - min(answering_s, _ANSWERING * max(0.0, clock.left_s())) / 60
    )


def _fewer_rows(tuning: Tuning, text_s: float, texts: int, clock: Clock) -> Tuning:
    """As many texts a step that there is time for some steps at all.

    Raises HornbookError where not even a few texts a step leave time for the least number of them.
    """
    if not clock.limited:
        return tuning
    affordable = clock.left_s(_LEFT) / (_TRAINED * text_s)  # texts, in all steps
    rows = min(tuning.rows, max(_FEWEST_ROWS, int(affordable / _FEWEST_STEPS)))
    if affordable < min(rows * tuning.least_steps, _PASSES * texts) and tuning.least_steps > 1:
        raise _too_little(max(0, int(affordable / rows)), texts / rows)
    return tuning.model_copy(update={"rows": rows})


def _too_little(steps: int, pass_steps: float) -> HornbookError:
    return HornbookError(
        f"left out, as there is time for {steps:,} steps only, {steps / pass_steps:.2f} passes"
    )


def _looked_at(validation: Examples, text_s: float, clock: Clock, looks: int) -> Examples:
    """As many of the texts as so many looks and the calibration have time for."""
    if not clock.limited:
        return validation
    affordable = int(_LOOKING * max(0.0, clock.left_s()) / (looks + 1) / text_s)
    return validation.some(max(_LEAST_LOOKED, affordable))


def _on_texts(
    classifier: TextClassifier,
    training: Examples,
    validation: Examples,
    tuning: Tuning,
    loop: LoopConfig,
) -> _Work:
    width = classifier.model.config.width
    batches = LabelledTexts(
        training.read.sequences,
        training.labels,
        tuning.rows,
        tuning.seed,
        classifier.tokenizer.padding,
        alike=True,
        at_once=max(1, _ACTIVATIONS // width),
    )

    def logits() -> np.ndarray:
        with product_type(loop.device, loop.dtype):
            return classifier.logits(validation.read.sequences)

    return _Work(classifier.model, batches, logits)


def _on_vectors(
    classifier: TextClassifier,
    training: Examples,
    validation: Examples,
    tuning: Tuning,
    loop: LoopConfig,
    clock: Clock,
    progress: Progress,
) -> _Work:
    """Read all texts once; of more than there is time for, some that the seed draws."""
    top = ClassifierHead(classifier.model)
    held_out = _gathered(classifier, validation.read.sequences, loop)
    order = np.random.default_rng(tuning.seed).permutation(len(training.labels))
    parts: list[Tensor] = []
    size = 8 * tuning.rows
    for start in range(0, len(order), size):
        if parts and clock.left_s(_READING) < 0:
            break
        chosen = order[start : start + size]
        parts.append(_gathered(classifier, [training.read.sequences[i] for i in chosen], loop))
    vectors = torch.cat(parts)
    if len(vectors) < len(order):
        progress.say(f"  time to read {len(vectors):,} of {len(order):,} training texts")
    labels = training.labels[order[: len(vectors)]]
    batches = LabelledVectors(vectors, labels, tuning.rows, tuning.seed)

    @torch.no_grad()
    def logits() -> np.ndarray:
        found: np.ndarray = top(held_out.to(loop.device)).float().cpu().numpy()
        return found

    return _Work(top, batches, logits)


def _gathered(
    classifier: TextClassifier, sequences: Sequence[np.ndarray], loop: LoopConfig
) -> Tensor:
    with product_type(loop.device, loop.dtype):
        return torch.from_numpy(classifier.gathered(sequences))
