"""Learning to answer: the model with what may move of it, its rows, and how both are looked at."""

from typing import NamedTuple

from hornbook.core.machine import Machine
from hornbook.datasets.samples import evenly
from hornbook.models.causal_lm import CausalLM
from hornbook.training.forgetting import General, Scores
from hornbook.training.loop import LoopConfig
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
from hornbook.workflows.runs.tuning import TuningProblem, TuningSource, begun


class AnswersProblem(TuningProblem[Encoded]):
    """The loss of answers, or of preferences. before: what the model did before the first step."""

    measure = "loss"
    targets = "answer tokens"
    patience = 3

    plan: AnswersPlan
    _tested: Scores | None = None

    def __init__(
        self,
        source: TuningSource[Encoded],
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
        self.rest_s = before.rest_s
        self.batches, self.steps_per_epoch = goal.batches, goal.batches.steps_per_epoch

    def score(self) -> dict[str, float]:
        return {"loss": self.goal.score("validation", self.loop).ratio().value}

    def said(self, figures: dict[str, float]) -> str:
        return f"loss {figures['loss']:.4f} ({self.goal.unit})"

    def tested(self) -> Scores:
        """The test part by the model as it is when it is first asked, after the training."""
        if self._tested is None:
            self._tested = self.goal.score("test", self.loop)
        return self._tested


class TuningStart(NamedTuple):
    """What is tuned, before it is measured. parts: all that is learned from, and what there is time
    to score. known: what was measured before the run was stopped."""

    model: CausalLM
    parts: Parts
    general: General
    loop: LoopConfig
    known: Before | None


def opened(
    source: TuningSource[Encoded],
    request: AnswersRequest,
    plan: AnswersPlan,
    machine: Machine,
    place: Place,
) -> TuningStart:
    """Open the model and free what may move, keep what there is time to score."""
    say = place.progress.say
    model, loop, general = begun(source, request, plan, SCHEDULE, machine, place)
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
    source: TuningSource[Encoded],
    request: AnswersRequest,
    plan: AnswersPlan,
    machine: Machine,
    place: Place,
) -> AnswersProblem:
    """All that stands before the first step."""
    found = opened(source, request, plan, machine, place)
    padding = source.tokenizer.pad_id or 0
    goal = goal_of(found.model, found.parts, request, plan, found.loop, padding)
    before = looked_before(request, found, goal, place)
    return AnswersProblem(
        source, goal, found.general, before, found.model, request, plan, found.loop
    )
