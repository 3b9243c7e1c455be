"""Learning which passage answers a question: what both ways of it share.

By vectors, each text by itself (`vectors`), or reading question and passage together (`together`).
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch

from hornbook.adapt.method import parameter_counts
from hornbook.batches.questions import GroupBatches, QuestionBatches
from hornbook.core.clock import Clock
from hornbook.core.machine import Machine
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.models.model import Model
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.training.forecast import timed
from hornbook.training.loop import LoopConfig
from hornbook.training.optimiser import Optimiser
from hornbook.training.state import TrainState
from hornbook.workflows.projects.questions.data import QuestionParts
from hornbook.workflows.projects.questions.request import (
    SCHEDULE,
    QuestionsPlan,
    QuestionsRequest,
)
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.timed import TimedProblem

LOOKING = 0.04
"""Of the minutes, what looking at a part once may take; it is done for each part, twice."""
PROBED = 16
"""Texts that are tried to learn how long one takes."""


class Ranks(NamedTuple):
    """Where the right passage of each question stood, from 1, among `pool` passages; infinite where
    it was none of them. loss: of each question, -log softmax over the pool, in nats."""

    ranks: np.ndarray
    losses: np.ndarray
    pool: int

    def figures(self) -> dict[str, np.ndarray]:
        """Of each question, by name; what search is measured by."""
        return {
            "mrr@10": np.where(self.ranks <= 10, 1 / self.ranks, 0.0),
            "hit@1": (self.ranks == 1).astype(float),
            "hit@5": (self.ranks <= 5).astype(float),
        }


def estimate(values: np.ndarray) -> Estimate:
    """The mean with its interval."""
    return bootstrap_ratio(values.tolist(), [1.0] * len(values))


class QuestionsProblem(TimedProblem):
    """before: of the test part, as search is without what is learned here."""

    measure = "loss"
    targets = "pairs"
    patience = 3
    uncompilable = "texts are of many lengths"

    model: Model
    plan: QuestionsPlan
    batches: QuestionBatches | GroupBatches
    before: Ranks

    def __init__(
        self,
        model: Model,
        tokenizer: SequenceTokenizer,
        parts: QuestionParts,
        request: QuestionsRequest,
        plan: QuestionsPlan,
        loop: LoopConfig,
    ) -> None:
        self.model, self.tokenizer, self.parts = model, tokenizer, parts
        self.request, self.plan, self.loop = request, plan, loop

    @property
    def steps_per_epoch(self) -> float:  # type: ignore[override]
        return self.batches.steps_per_epoch

    @abstractmethod
    def ranked(self, part: str) -> Ranks:
        """Where each right passage of a part stands by the model as it is now."""

    @abstractmethod
    def settle_looking(self, clock: Clock) -> None:
        """Settle how much there is time to look at, by what some of it takes."""

    def first_look(self) -> Ranks:
        """Of the test part, without what is learned here."""
        return self.ranked("test")

    def settle(self) -> None:
        """After the training, before the test part is looked at."""

    def beside(self) -> dict[str, object]:
        """Files of the model's folder that say how it is used, by name."""
        return {}

    def facts(self) -> dict[str, object]:
        """What the result says besides."""
        return {}

    def look_before(self, clock: Clock) -> None:
        """Settle how much is looked at, and measure what there is before."""
        self.settle_looking(clock)
        found, self.score_s = timed(lambda: self.ranked("validation"))
        self.untrained = float(found.losses.mean())
        self.before = self.first_look()

    def resize(self, size: int) -> None:
        self.plan = self.plan.model_copy(update={"rows": size})
        self.batches = self.batches.of(size)

    def begin(self) -> TrainState:
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        return TrainState(self.model, Optimiser(self.model, self.plan.optimiser, dtype))

    def score(self) -> dict[str, float]:
        found = self.ranked("validation")
        means = {name: float(values.mean()) for name, values in found.figures().items()}
        return {"loss": float(found.losses.mean()), **means}

    def said(self, figures: dict[str, float]) -> str:
        return f"loss {figures['loss']:.4f}, the right passage first in {figures['hit@1']:.1%}"

    def sides(self) -> tuple[Iterable[str], Iterable[str]]:
        train, test = self.parts.train, self.parts.test
        return map("\n".join, train), map("\n".join, test)

    def ending_s(self, score_s: float) -> float:
        return score_s * len(self.parts.test) / max(1, len(self.parts.validation))


def loop_of(request: QuestionsRequest, machine: Machine, micro_rows: int) -> LoopConfig:
    """How steps are computed."""
    return LoopConfig(
        steps=1,
        micro_rows=micro_rows,
        schedule=SCHEDULE,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )


def freed(model: Model, request: QuestionsRequest, place: Place) -> None:
    """Let move what the method says, and say so."""
    request.method.apply(model, request.seed)
    moved = parameter_counts(model)
    place.progress.say(
        f"Method {request.method}: {moved.trained:,} of {moved.all:,} parameters move, "
        f"{moved.trained / moved.all:.2%}."
    )


def looked_before(problem: QuestionsProblem, place: Place, doing: str) -> None:
    """Measure what there is before, and say it."""
    place.progress.doing(doing)
    problem.look_before(place.clock)
    found = problem.before.figures()
    place.progress.say(
        f"Before: the right passage first for {found['hit@1'].mean():.1%} of "
        f"{len(problem.before.ranks):,} held-out questions, among {problem.before.pool:,} passages."
    )
