"""A cross-encoder: question and passage are read together, and one number says how they fit.

It judges what a search finds first, and learns from that: the right passage of a question among
others that the search takes for it (Nogueira & Cho 2019; Gao et al. 2021).
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.batches.questions import GroupBatches
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.datasets.pairs import Pair
from hornbook.models.classifier import ClassifierNetwork, on_backbone
from hornbook.models.folder import load_model
from hornbook.models.pair_scores import pair_scores, read_pairs
from hornbook.models.transfer import copy_backbone
from hornbook.retrieve.reranking import SETTINGS, Counting, between
from hornbook.retrieve.search import By
from hornbook.retrieve.text_ranking import TextRanking
from hornbook.tokenize.sequences import PairSequence, SequenceTokenizer
from hornbook.training.contrastive import right_first
from hornbook.training.forecast import timed
from hornbook.training.loop import LoopConfig
from hornbook.training.precision import product_type
from hornbook.workflows.open.encoder import open_encoder
from hornbook.workflows.projects.questions.data import QuestionParts
from hornbook.workflows.projects.questions.first_stage import FirstStage, PairVectors, has_time
from hornbook.workflows.projects.questions.problem import (
    LOOKING,
    PROBED,
    QuestionsProblem,
    Ranks,
    freed,
    looked_before,
    loop_of,
)
from hornbook.workflows.projects.questions.request import QuestionsPlan, QuestionsRequest
from hornbook.workflows.runs.place import Place

LABEL = "relevance"
"""The one that the cross-encoder gives a logit for."""
_MINED = 30
"""Passages that a search finds first, of which the wrong ones are drawn."""
_JUDGED, _LEAST_JUDGED = 30, 5
"""Passages of a question that are judged where it is measured: at most, and at least."""
_ASKED, _LEAST_ASKED = 500, 50
"""Questions of a part that are looked at, by the same token."""
_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_TOKENS_AT_ONCE = 4096


class JudgedPassages(NamedTuple):
    """What a search found of a question, the best first. own, logits: (N,) of each, the search's
    scores and the model's. right: the place of the right passage among them, None where the search
    did not find it. loss: in nats, of telling it from the others."""

    own: np.ndarray
    logits: np.ndarray
    right: int | None
    loss: float

    def rank(self, weight: float) -> float:
        """Of the right passage, with so much weight of the logits."""
        if self.right is None:
            return math.inf
        scores = weight * between(self.logits) + (1 - weight) * between(self.own)
        before = scores[: self.right] >= scores[self.right]
        behind = scores[self.right + 1 :] > scores[self.right]
        return 1.0 + float(before.sum() + behind.sum())


def settled_weight(judged: Sequence[JudgedPassages]) -> float:
    """How much the logits should count: the weight with the best mean reciprocal rank, and nothing
    where what it gains over the search alone is less than its own standard error."""
    gains = {w: _reciprocals(np.array([one.rank(w) for one in judged])) for w in _WEIGHTS}
    best = max(_WEIGHTS, key=lambda weight: (gains[weight].mean(), weight))
    gained = gains[best] - gains[0.0]
    error = gained.std(ddof=1) / math.sqrt(len(gained)) if len(gained) > 1 else math.inf
    return best if gained.mean() > (1 + 1e-9) * error else 0.0  # one question alone is no gain


def _reciprocals(ranks: np.ndarray) -> np.ndarray:
    return np.where(ranks <= 10, 1 / ranks, 0.0)


class TogetherProblem(QuestionsProblem):
    """stages: the ways of searching that are ranked anew; way: the one of them that finds better.
    weights: of the logits beside each, settled on the validation part. judged: passages of a
    question that are read where it is measured; asked: questions of a part, at most."""

    model: ClassifierNetwork
    batches: GroupBatches

    def __init__(
        self,
        model: ClassifierNetwork,
        tokenizer: SequenceTokenizer,
        parts: QuestionParts,
        request: QuestionsRequest,
        plan: QuestionsPlan,
        loop: LoopConfig,
        stages: Mapping[By, FirstStage],
    ) -> None:
        super().__init__(model, tokenizer, parts, request, plan, loop)
        self.objective, self.stages = right_first, stages
        self.judged, self.asked = _JUDGED, _ASKED
        self._right: dict[str, set[str]] = defaultdict(set)
        for pair in [*parts.train, *parts.validation, *parts.test]:
            self._right[pair.source].add(pair.target)
        self.way: By = max(stages, key=lambda way: _reciprocals(self._found_at(way)).mean())
        self.weights: dict[By, float] = dict.fromkeys(stages, 1.0)
        learned = {pair.target for pair in parts.train}
        wrong = {pair: self._wrong(pair.source, learned) for pair in parts.train}
        taught = [pair for pair in parts.train if len(wrong[pair]) >= plan.wrong > 0]
        if not taught:
            raise UsageError("No question has a passage that does not answer it beside its own.")
        self.batches = GroupBatches(
            taught,
            [wrong[pair] for pair in taught],
            self._read,
            plan.wrong,
            plan.rows,
            request.seed,
        )

    def _wrong(self, question: str, learned: set[str]) -> list[str]:
        """Passages to train on that do not answer a question, though the search takes them for
        it."""
        found = self.stages[self.way].found(question, 2 * _MINED, self._right[question])[1]
        near = [text for text in found if text in learned][:_MINED]
        missing = self.plan.wrong - len(near)
        if missing <= 0:
            return near
        usable = learned - self._right[question]
        return near + sorted(usable.difference(near))[:missing]

    def ranked(self, part: str) -> Ranks:
        """Among what the search finds in all passages."""
        return self._ranks(self._judged(part, self.way), self.weights[self.way])

    def first_look(self) -> Ranks:
        """By the search alone."""
        ranks = self._found_at(self.way, "test")
        return Ranks(ranks, np.zeros(len(ranks)), len(self.stages[self.way].passages))

    def settle(self) -> None:
        """How much the logits count beside each way of searching, by the validation part."""
        for way in self.stages:
            self.weights[way] = settled_weight(self._judged("validation", way))

    def beside(self) -> dict[str, object]:
        return {SETTINGS: self._counting().plain()}

    def _counting(self) -> Counting:
        return Counting(self.weights[self.way], dict(self.weights), self.judged)

    def facts(self) -> dict[str, object]:
        return {"searched_by": self.way, "counts": self._counting().plain()}

    def ending_s(self, score_s: float) -> float:
        return super().ending_s(score_s) + len(self.stages) * score_s

    def settle_looking(self, clock: Clock) -> None:
        if not clock.limited:
            return
        some = [(pair.source, pair.target) for pair in self.parts.train[:PROBED]]
        self._logits(some[:1])  # kernels are prepared in the first
        each_s = timed(lambda: self._logits(some))[1] / len(some)
        room = LOOKING * max(0.0, clock.left_s()) / each_s
        most = min(_ASKED, max(len(self.parts.validation), len(self.parts.test)))
        self.judged = int(min(_JUDGED, max(_LEAST_JUDGED, room / most)))
        self.asked = int(min(_ASKED, max(_LEAST_ASKED, room / self.judged)))

    def _ranks(self, judged: Sequence[JudgedPassages], weight: float) -> Ranks:
        ranks = np.array([one.rank(weight) for one in judged])
        losses = np.array([one.loss for one in judged])
        return Ranks(ranks, losses, len(self.stages[self.way].passages))

    def _asked(self, part: str) -> list[Pair]:
        pairs: list[Pair] = getattr(self.parts, part)
        return pairs[: self.asked]

    def _found_at(self, way: By, part: str = "validation") -> np.ndarray:
        """Of the questions of a part, where a search finds the right passage, from 1."""
        ranks = []
        for pair in self._asked(part):
            _, texts = self._found(pair, way)
            ranks.append(1.0 + texts.index(pair.target) if pair.target in texts else math.inf)
        return np.array(ranks)

    def _judged(self, part: str, way: By) -> list[JudgedPassages]:
        """The questions of a part with what a search finds of each."""
        found = []
        for pair in self._asked(part):
            scores, texts = self._found(pair, way)
            logits = self._logits([(pair.source, text) for text in (*texts, pair.target)])
            own = texts.index(pair.target) if pair.target in texts else None
            others = np.delete(logits[:-1], own) if own is not None else logits[:-1]
            loss = float(np.logaddexp.reduce([*others, logits[-1]]) - logits[-1])
            found.append(JudgedPassages(scores, logits[:-1], own, loss))
        return found

    def _found(self, pair: Pair, way: By) -> tuple[np.ndarray, list[str]]:
        """What a search finds, without what answers the question as well."""
        more = self._right[pair.source] - {pair.target}
        return self.stages[way].found(pair.source, self.judged, more)

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        was_training = self.model.training
        self.model.eval()
        with product_type(self.loop.device, self.loop.dtype):
            found = pair_scores(self.model, self._read(pairs))
        self.model.train(was_training)
        return found

    def _read(self, pairs: Sequence[tuple[str, str]]) -> list[PairSequence]:
        return read_pairs(self.model, self.tokenizer, pairs, self.plan.context)


def _stages(
    model: Path,
    makes_vectors: bool,
    parts: QuestionParts,
    request: QuestionsRequest,
    where: tuple[Machine, Place],
) -> dict[By, FirstStage]:
    """The ways of searching: by words, and where the model made vectors before, with them."""
    machine, place = where
    every = [*parts.train, *parts.validation, *parts.test]
    passages = list(dict.fromkeys(pair.target for pair in every))
    ranking = TextRanking(passages)
    stages: dict[By, FirstStage] = {"words": FirstStage(passages, ranking)}
    if makes_vectors and has_time(len(passages), request.minutes):
        place.progress.doing("making vectors of the passages")
        encoder = open_encoder(model, machine.device)
        questions = list(dict.fromkeys(pair.source for pair in every))
        rows = encoder.embed(questions, prompt="query")
        vectors = PairVectors(
            dict(zip(questions, rows, strict=True)), encoder.embed(passages, prompt="passage")
        )
        stages["both"] = FirstStage(passages, ranking, vectors)
    return stages


def prepare(
    model: Path,
    parts: QuestionParts,
    request: QuestionsRequest,
    plan: QuestionsPlan,
    machine: Machine,
    place: Place,
) -> TogetherProblem:
    """Open the model, with a new head unless it has one; free what may move; ask the search."""
    source = load_model(model, machine.device)
    cross: ClassifierNetwork
    if isinstance(source, ClassifierNetwork):
        cross = source
    else:
        built = on_backbone(source.config, [LABEL]).build(request.seed).to(machine.device)
        assert isinstance(built, ClassifierNetwork)
        copy_backbone(source, built)
        cross = built
    stages = _stages(model, cross is not source, parts, request, (machine, place))
    freed(cross, request, place)
    groups = max(1, _TOKENS_AT_ONCE // (plan.context * (plan.wrong + 1)))
    tokenizer = SequenceTokenizer.load(model)
    loop = loop_of(request, machine, min(groups, plan.rows))
    problem = TogetherProblem(cross, tokenizer, parts, request, plan, loop, stages)
    looked_before(problem, place, "measuring what the search finds")
    return problem
