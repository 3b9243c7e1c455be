"""What a search finds before a cross-encoder reads: by words, or by words and vectors together.

As `retrieve.search` ranks an index, over the passages of the pairs. Wrong passages to learn from
and those to be ranked anew come from it: a model is made and measured on what it will meet.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.retrieve.search import DEFAULT_WEIGHT, Candidate, fused
from hornbook.retrieve.text_ranking import TextRanking
from hornbook.retrieve.words import Ranked

_DEPTH = 100
"""Passages that words and vectors each propose."""
_A_MINUTE, _MOST = 400, 20_000
"""Texts whose vectors there is time for: of each minute that was asked for, and at most."""


class PairVectors(NamedTuple):
    """By an encoder: of questions, by their text, and (N, D) of passages, all of length one."""

    questions: dict[str, np.ndarray]
    passages: np.ndarray


class FirstStage:
    """Passages that can be asked. vectors: of the same passages in their order, None for words
    alone."""

    def __init__(
        self, passages: Sequence[str], ranking: TextRanking, vectors: PairVectors | None = None
    ) -> None:
        self.passages, self._ranking, self._vectors = passages, ranking, vectors

    def found(
        self, question: str, count: int, without: Collection[str] = ()
    ) -> tuple[np.ndarray, list[str]]:
        """The best passages, at most `count`, and their scores (n,). without: those left out."""
        candidates = self._candidates(question, count + len(without))
        kept = [one for one in candidates if self.passages[one.passage] not in without][:count]
        scores = np.array([one.score for one in kept])
        return scores, [self.passages[one.passage] for one in kept]

    def _candidates(self, question: str, count: int) -> list[Candidate]:
        depth, scores = max(count, _DEPTH), self._ranking.scores(question)
        best = np.argsort(-scores, kind="stable")[:depth]
        words = [Ranked(int(i), float(scores[i])) for i in best if scores[i] > 0]
        if self._vectors is None:
            return [Candidate(*one, one.score, None) for one in words[:count]]
        cosines = self._vectors.passages @ self._vectors.questions[question]
        nearest = np.argsort(-cosines, kind="stable")[:depth]
        by_vectors = [Ranked(int(i), float(cosines[i])) for i in nearest]
        more = {one.passage: float(cosines[one.passage]) for one in words}
        return fused(words, by_vectors, more, DEFAULT_WEIGHT)[:count]


def has_time(texts: int, minutes: float | None) -> bool:
    """Whether the vectors of so many texts are worth their time. What is learned from rests on it,
    so it depends on nothing that is measured: a run that goes on decides the same."""
    return texts <= min(_MOST, _MOST if minutes is None else _A_MINUTE * minutes)
