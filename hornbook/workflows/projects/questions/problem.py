"""Learning which passage answers a question: an encoder, its pairs, and how both are looked at."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from hornbook.adapt.method import parameter_counts
from hornbook.batches.questions import QuestionBatches
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.datasets.pairs import Pair
from hornbook.models.encoder import Encoder
from hornbook.models.sentences import embed
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.training.contrastive import contrast
from hornbook.training.forecast import timed
from hornbook.training.loop import LoopConfig
from hornbook.training.optimiser import Optimiser
from hornbook.training.precision import product_type
from hornbook.training.state import TrainState
from hornbook.workflows.open.encoder import open_to_train
from hornbook.workflows.projects.questions.data import QuestionParts
from hornbook.workflows.projects.questions.request import (
    SCHEDULE,
    TEMPERATURE,
    QuestionsPlan,
    QuestionsRequest,
)
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.timed import TimedProblem

_POOL, _LEAST_POOL = 2000, 50
"""Passages that the right one is told from where it is measured: at most, and at least."""
_LOOKING = 0.04
"""Of the minutes, what embedding the pool once may take; it is done for each part, twice."""
_PROBED = 16


class Ranks(NamedTuple):
    """Where the right passage of each question stood, from 1, among `pool` passages. loss: of each
    question, -log softmax(cos / t) over the pool, in nats."""

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
    """before: of the test part, with the encoder as it came. roles: what stands before questions
    and before passages."""

    measure = "loss"
    targets = "pairs"
    patience = 3
    uncompilable = "texts are of many lengths"

    model: Encoder
    plan: QuestionsPlan
    batches: QuestionBatches

    def __init__(
        self,
        model: Encoder,
        tokenizer: SequenceTokenizer,
        roles: tuple[str, str],
        parts: QuestionParts,
        request: QuestionsRequest,
        plan: QuestionsPlan,
        loop: LoopConfig,
    ) -> None:
        self.model, self.tokenizer, self.roles = model, tokenizer, roles
        self.parts, self.request, self.plan, self.loop = parts, request, plan, loop
        self.objective = contrast(TEMPERATURE)
        numbers = {text: i for i, text in enumerate(dict.fromkeys(p.target for p in parts.train))}
        self.batches = QuestionBatches(
            self._encoded([pair.source for pair in parts.train], roles[0]),
            self._encoded([pair.target for pair in parts.train], roles[1]),
            np.array([numbers[pair.target] for pair in parts.train], np.int64),
            plan.rows,
            request.seed,
            tokenizer.padding,
        )
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.pool = _POOL

    def look_before(self, clock: Clock) -> None:
        """Settle how much is looked at, and measure what the encoder does before."""
        self.pool = self._affordable(clock)
        found, self.score_s = timed(lambda: self.ranked("validation"))
        self.untrained = float(found.losses.mean())
        self.before = self.ranked("test")

    def resize(self, size: int) -> None:
        # What is computed at once is what a question is told from: a step is never cut up.
        self.plan = self.plan.model_copy(update={"rows": size})
        self.loop = self.loop.model_copy(update={"micro_rows": size})
        self.batches = self.batches.of(size)
        self.steps_per_epoch = self.batches.steps_per_epoch

    def begin(self) -> TrainState:
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        return TrainState(self.model, Optimiser(self.model, self.plan.optimiser, dtype))

    def score(self) -> dict[str, float]:
        found = self.ranked("validation")
        means = {name: float(values.mean()) for name, values in found.figures().items()}
        return {"loss": float(found.losses.mean()), **means}

    def said(self, figures: dict[str, float]) -> str:
        return f"loss {figures['loss']:.4f}, the right passage first in {figures['hit@1']:.1%}"

    def ending_s(self, score_s: float) -> float:
        return score_s * len(self.parts.test) / max(1, len(self.parts.validation))

    def ranked(self, part: str) -> Ranks:
        """Where each right passage of a part stands among the part's and others to train on."""
        pairs: list[Pair] = getattr(self.parts, part)
        own = list(dict.fromkeys(pair.target for pair in pairs))[: self.pool]
        asked = [pair for pair in pairs if pair.target in set(own)]
        more = dict.fromkeys(p.target for p in self.parts.train if p.target not in own)
        passages = [*own, *list(more)[: self.pool - len(own)]]
        places = {text: i for i, text in enumerate(passages)}
        right = np.array([places[pair.target] for pair in asked])
        questions = self._vectors([pair.source for pair in asked], self.roles[0])
        cosines = questions @ self._vectors(passages, self.roles[1]).T
        reached = cosines[np.arange(len(right)), right]
        ranks = 1 + (cosines > reached[:, None]).sum(1)
        logits = cosines / TEMPERATURE
        top = logits.max(1)
        losses = np.log(np.exp(logits - top[:, None]).sum(1)) + top - reached / TEMPERATURE
        return Ranks(ranks, losses, len(passages))

    def _affordable(self, clock: Clock) -> int:
        """Passages that are embedded each time, by what some of them take."""
        if not clock.limited:
            return _POOL
        some = [pair.target for pair in self.parts.train[:_PROBED]]
        self._vectors(some[:1], self.roles[1])  # kernels are prepared in the first
        each_s = timed(lambda: self._vectors(some, self.roles[1]))[1] / len(some)
        room = _LOOKING * max(0.0, clock.left_s()) / each_s
        return int(min(_POOL, max(_LEAST_POOL, room)))

    def _vectors(self, texts: Sequence[str], before: str) -> np.ndarray:
        was_training = self.model.training
        self.model.eval()
        with product_type(self.loop.device, self.loop.dtype):
            found = embed(
                self.model, self.tokenizer, [before + text for text in texts], self.plan.context
            )
        self.model.train(was_training)
        return found

    def _encoded(self, texts: Sequence[str], before: str) -> list[np.ndarray]:
        return self.tokenizer.encode_batch([before + text for text in texts], self.plan.context)


def prepare(
    model: Path,
    parts: QuestionParts,
    request: QuestionsRequest,
    plan: QuestionsPlan,
    machine: Machine,
    place: Place,
) -> QuestionsProblem:
    """Open the encoder, free what may move, measure it as it is."""
    opened = open_to_train(model, machine.device)
    request.method.apply(opened.model, request.seed)
    moved = parameter_counts(opened.model)
    place.progress.say(
        f"Method {request.method}: {moved.trained:,} of {moved.all:,} parameters move, "
        f"{moved.trained / moved.all:.2%}."
    )
    loop = LoopConfig(
        steps=1,
        micro_rows=plan.rows,
        schedule=SCHEDULE,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )
    roles = opened.prompts.of("query"), opened.prompts.of("passage")
    problem = QuestionsProblem(opened.model, opened.tokenizer, roles, parts, request, plan, loop)
    place.progress.doing("measuring the encoder before")
    problem.look_before(place.clock)
    found = problem.before.figures()
    place.progress.say(
        f"Before: the right passage first for {found['hit@1'].mean():.1%} of "
        f"{len(problem.before.ranks):,} held-out questions, among {problem.before.pool:,} passages."
    )
    return problem


def check_method(method: str) -> None:
    """Raises UsageError for a method that encoders have no part for."""
    if method == "head":
        raise UsageError(
            "--method head: an encoder has no head. Valid: full, last:N, lora, lora:R."
        )
