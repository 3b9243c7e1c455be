"""Learning to answer: the model with what may move of it, its rows, and how both are looked at."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch

from hornbook.adapt.method import parameter_counts
from hornbook.adapt.peft import Base
from hornbook.core.machine import Machine
from hornbook.datasets.samples import evenly
from hornbook.datasets.split import wording
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.forgetting import General, Scores
from hornbook.training.loop import LoopConfig
from hornbook.training.optimiser import Optimiser
from hornbook.training.state import TrainState
from hornbook.workflows.projects.answers.before import (
    Before,
    measure,
    measured_before,
    sizes_in_time,
)
from hornbook.workflows.projects.answers.goal import Goal, Parts, goal_of
from hornbook.workflows.projects.answers.request import SCHEDULE, AnswersPlan, AnswersRequest
from hornbook.workflows.projects.answers.rows import Encoded
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.timed import TimedProblem

_WINDOW = 512
"""Tokens of general text that are read at once, at most."""


class Source(NamedTuple):
    """What is tuned and on what. place: of the model. general: text to see what is forgotten.

    tokenizer_folder: the tokenizer with a chat template.
    """

    place: Path
    base: Base
    tokenizer: Tokenizer
    tokenizer_folder: Path
    data: Encoded
    general: str


class AnswersProblem(TimedProblem):
    """The loss of answers, or of preferences. general: the forgetting meter. before: what the model
    did before the first step.

    Nothing moves the weights before the loop does, so `begin` finds them where they were read.
    """

    measure = "loss"
    targets = "answer tokens"
    patience = 3

    model: CausalLM
    plan: AnswersPlan
    _tested: Scores | None = None

    def __init__(
        self,
        source: Source,
        goal: Goal,
        general: General,
        before: Before,
        model: CausalLM,
        request: AnswersRequest,
        plan: AnswersPlan,
        loop: LoopConfig,
    ) -> None:
        self.source, self.goal, self.general, self.before = source, goal, general, before
        self.model, self.request, self.plan, self.loop = model, request, plan, loop
        self.objective = goal.objective
        self.untrained, self.score_s = before.validation, before.validation_s
        self.batches, self.steps_per_epoch = goal.batches, goal.batches.steps_per_epoch

    def resize(self, size: int) -> None:
        at_once = min(size, self.plan.micro_rows)
        self.plan = self.plan.model_copy(update={"rows": size, "micro_rows": at_once})
        self.loop = self.loop.model_copy(update={"micro_rows": at_once})
        self.batches = self.goal.batches.of(size)
        self.steps_per_epoch = self.batches.steps_per_epoch

    def begin(self) -> TrainState:
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        return TrainState(self.model, Optimiser(self.model, self.plan.optimiser, dtype))

    def score(self) -> dict[str, float]:
        return {"loss": self.goal.score("validation", self.loop).ratio().value}

    def said(self, figures: dict[str, float]) -> str:
        return f"loss {figures['loss']:.4f} ({self.goal.unit})"

    def tested(self) -> Scores:
        """The test part by the model as it is when it is first asked, after the training."""
        if self._tested is None:
            self._tested = self.goal.score("test", self.loop)
        return self._tested

    @property
    def tokenizer(self) -> Tokenizer:
        """With the chat template that is trained with."""
        return self.source.tokenizer

    def sides(self) -> tuple[Iterable[str], Iterable[str]]:
        parts = self.source.data.split
        return map(wording, parts.train), map(wording, (*parts.validation, *parts.test))

    def ending_s(self, score_s: float) -> float:
        return self.before.rest_s


class TuningStart(NamedTuple):
    """What is tuned, before it is measured. parts: all that is learned from, and what there is time
    to score. known: what was measured before the run was stopped."""

    model: CausalLM
    parts: Parts
    general: General
    loop: LoopConfig
    known: Before | None


def fresh(source: Source, request: AnswersRequest, device: str) -> CausalLM:
    """The model as it was, what may move of it freed."""
    model = load_model(source.place, device, torch.float32)
    assert isinstance(model, CausalLM)
    request.method.apply(model, request.seed)
    return model


def opened(
    source: Source, request: AnswersRequest, plan: AnswersPlan, machine: Machine, place: Place
) -> TuningStart:
    """Open the model and free what may move, keep what there is time to score."""
    say = place.progress.say
    model = fresh(source, request, machine.device)
    moved = parameter_counts(model)
    say(
        f"Method {request.method}: {moved.trained:,} of {moved.all:,} parameters move, "
        f"{moved.trained / moved.all:.2%}."
    )
    loop = LoopConfig(
        steps=1,
        micro_rows=plan.micro_rows,
        schedule=SCHEDULE,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )
    general = General(source.general, source.tokenizer, min(model.config.context, _WINDOW), loop)
    parts, known = source.data.fitting(plan.context), measured_before(request, place)
    sizes = (
        known.sizes if known else sizes_in_time(model, parts, general.windows, loop, place.clock)
    )
    for name, size in zip(("validation", "test"), sizes, strict=False):
        side = getattr(parts, name)
        if size < len(side):
            say(f"  {size:,} of {len(side):,} {name} samples are scored, as time is short")
        parts = parts._replace(**{name: evenly(side, size)})
    general.keep(evenly(range(len(general.windows)), sizes.general))
    return TuningStart(model, parts, general, loop, known)


def looked_before(request: AnswersRequest, found: TuningStart, goal: Goal, place: Place) -> Before:
    """What the model does before the first step, measured unless it is known; it is said."""
    before = found.known or measure(request, found.model, goal, found.general, found.loop, place)
    place.progress.say(
        f"Before: {before.test.ratio().value:.3f} {goal.unit} held out, "
        f"{before.general.ratio().value:.4f} bits per byte of general text."
    )
    return before


def prepare(
    source: Source, request: AnswersRequest, plan: AnswersPlan, machine: Machine, place: Place
) -> AnswersProblem:
    """All that stands before the first step."""
    found = opened(source, request, plan, machine, place)
    padding = source.tokenizer.pad_id or 0
    goal = goal_of(found.model, found.parts, request, plan, found.loop, padding)
    before = looked_before(request, found, goal, place)
    return AnswersProblem(
        source, goal, found.general, before, found.model, request, plan, found.loop
    )
