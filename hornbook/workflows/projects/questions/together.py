"""A cross-encoder: question and passage are read together, and one number says how they fit.

It judges what words find first, and learns from that: the right passage of a question among others
with many of its words (Nogueira & Cho 2019; Gao et al. 2021).
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.batches.questions import GroupBatches
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.datasets.pairs import Pair
from hornbook.models.classifier import Classifier, on_backbone
from hornbook.models.folder import load_model
from hornbook.models.pair_scores import pair_scores, read_pairs
from hornbook.models.transfer import copy_backbone
from hornbook.retrieve.reranking import SETTINGS, between
from hornbook.retrieve.text_ranking import TextRanking
from hornbook.tokenize.sequences import PairSequence, SequenceTokenizer
from hornbook.training.contrastive import right_first
from hornbook.training.forecast import timed
from hornbook.training.loop import LoopConfig
from hornbook.training.precision import product_type
from hornbook.workflows.projects.questions.data import QuestionParts
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
"""Passages that words find first, of which the wrong ones are drawn."""
_JUDGED, _LEAST_JUDGED = 20, 5
"""Passages of a question that are judged where it is measured: at most, and at least."""
_ASKED, _LEAST_ASKED = 500, 50
"""Questions of a part that are looked at, by the same token."""
_WEIGHTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
_TOKENS_AT_ONCE = 4096


class Judged(NamedTuple):
    """What words found of a question, the best first. words, logits: (N,) of each. right: the place
    of the right passage among them, None where words did not find it. loss: in nats, of telling
    it from the others."""

    words: np.ndarray
    logits: np.ndarray
    right: int | None
    loss: float

    def rank(self, weight: float) -> float:
        """Of the right passage, with so much weight of the logits."""
        if self.right is None:
            return math.inf
        scores = weight * between(self.logits) + (1 - weight) * between(self.words)
        before = scores[: self.right] >= scores[self.right]
        behind = scores[self.right + 1 :] > scores[self.right]
        return 1.0 + float(before.sum() + behind.sum())


class TogetherProblem(QuestionsProblem):
    """weight: of the logits beside the words, settled on the validation part. judged: passages of a
    question that are read where it is measured; asked: questions of a part, at most."""

    model: Classifier
    batches: GroupBatches

    def __init__(
        self,
        model: Classifier,
        tokenizer: SequenceTokenizer,
        parts: QuestionParts,
        request: QuestionsRequest,
        plan: QuestionsPlan,
        loop: LoopConfig,
    ) -> None:
        super().__init__(model, tokenizer, parts, request, plan, loop)
        self.objective = right_first
        self.weight, self.judged, self.asked = 1.0, _JUDGED, _ASKED
        every = [*parts.train, *parts.validation, *parts.test]
        self._passages = list(dict.fromkeys(pair.target for pair in every))
        self._ranking = TextRanking(self._passages)
        self._right: dict[str, set[str]] = defaultdict(set)
        for pair in every:
            self._right[pair.source].add(pair.target)
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
        """Passages to train on that do not answer a question, those with many of its words."""
        found = (self._passages[i] for i in self._ranking.best(question, 2 * _MINED))
        usable = learned - self._right[question]
        near = [text for text in found if text in usable][:_MINED]
        missing = self.plan.wrong - len(near)
        return near if missing <= 0 else near + sorted(usable.difference(near))[:missing]

    def ranked(self, part: str) -> Ranks:
        """Among what words find in all passages."""
        return self._ranks(self._judged(part), self.weight)

    def first_look(self) -> Ranks:
        """By words alone."""
        pairs = self.parts.test[: self.asked]
        found = [self._found(pair) for pair in pairs]
        ranks = [
            1.0 + texts.index(pair.target) if pair.target in texts else math.inf
            for pair, (_, texts) in zip(pairs, found, strict=True)
        ]
        return Ranks(np.array(ranks), np.zeros(len(ranks)), len(self._passages))

    def settle(self) -> None:
        """How much the logits count, by the validation part."""
        found = self._judged("validation")
        gains = {w: self._ranks(found, w).figures()["mrr@10"].mean() for w in _WEIGHTS}
        self.weight = max(_WEIGHTS, key=lambda weight: (gains[weight], weight))

    def beside(self) -> dict[str, object]:
        return {SETTINGS: {"weight": self.weight}}

    def settle_looking(self, clock: Clock) -> None:
        if not clock.limited:
            return
        some = [(pair.source, pair.target) for pair in self.parts.train[:PROBED]]
        self._logits(some[:1])  # kernels are prepared in the first
        each_s = timed(lambda: self._logits(some))[1] / len(some)
        room = LOOKING * max(0.0, clock.left_s()) / each_s
        self.judged = int(min(_JUDGED, max(_LEAST_JUDGED, room / _ASKED)))
        self.asked = int(min(_ASKED, max(_LEAST_ASKED, room / self.judged)))

    def _ranks(self, judged: Sequence[Judged], weight: float) -> Ranks:
        ranks = np.array([one.rank(weight) for one in judged])
        return Ranks(ranks, np.array([one.loss for one in judged]), len(self._passages))

    def _judged(self, part: str) -> list[Judged]:
        """The questions of a part with what words find of each."""
        pairs: list[Pair] = getattr(self.parts, part)[: self.asked]
        found = []
        for pair in pairs:
            words, texts = self._found(pair)
            logits = self._logits([(pair.source, text) for text in (*texts, pair.target)])
            own = texts.index(pair.target) if pair.target in texts else None
            others = np.delete(logits[:-1], own) if own is not None else logits[:-1]
            loss = float(np.logaddexp.reduce([*others, logits[-1]]) - logits[-1])
            found.append(Judged(words, logits[:-1], own, loss))
        return found

    def _found(self, pair: Pair) -> tuple[np.ndarray, list[str]]:
        """What words find, without what answers the question as well."""
        scores = self._ranking.scores(pair.source)
        more = self._right[pair.source] - {pair.target}
        best = self._ranking.best(pair.source, self.judged + len(more))
        kept = [i for i in best if self._passages[i] not in more][: self.judged]
        return scores[kept], [self._passages[i] for i in kept]

    def _logits(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        was_training = self.model.training
        self.model.eval()
        with product_type(self.loop.device, self.loop.dtype):
            found = pair_scores(self.model, self._read(pairs))
        self.model.train(was_training)
        return found

    def _read(self, pairs: Sequence[tuple[str, str]]) -> list[PairSequence]:
        return read_pairs(self.model, self.tokenizer, pairs, self.plan.context)


def prepare(
    model: Path,
    parts: QuestionParts,
    request: QuestionsRequest,
    plan: QuestionsPlan,
    machine: Machine,
    place: Place,
) -> TogetherProblem:
    """Open the model, with a new head unless it has one, free what may move; ask words alone."""
    source = load_model(model, machine.device)
    cross: Classifier
    if isinstance(source, Classifier):
        cross = source
    else:
        built = on_backbone(source.config, [LABEL]).build(request.seed).to(machine.device)
        assert isinstance(built, Classifier)
        copy_backbone(source, built)
        cross = built
    freed(cross, request, place)
    groups = max(1, _TOKENS_AT_ONCE // (plan.context * (plan.wrong + 1)))
    tokenizer = SequenceTokenizer.load(model)
    loop = loop_of(request, machine, min(groups, plan.rows))
    problem = TogetherProblem(cross, tokenizer, parts, request, plan, loop)
    looked_before(problem, place, "measuring what words find")
    return problem
