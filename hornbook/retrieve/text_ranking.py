"""Texts ranked by the words of a question, in memory, for those that belong to no index.

BM25 (Robertson & Zaragoza 2009, equation 3.15, k1 1.2 and b 0.75) over the terms that an index has
as well. What it gives depends on the texts and their order alone.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from hornbook.corpus.language import language_of
from hornbook.retrieve.terms import analyser, runs, stop_words

_K1, _B = 1.2, 0.75
_SAMPLED = 200
"""Texts by which their language is found."""


class TextRanking:
    """Some texts, ready to be asked."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._language = language_of("\n".join(texts[:_SAMPLED])).code
        self._count = len(texts)
        counts = [Counter(analyser(self._language).terms(text)) for text in texts]
        lengths = np.array([count.total() for count in counts], np.float64)
        damping = _K1 * (1 - _B + _B * lengths / max(1.0, float(lengths.mean())))
        found: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, count in enumerate(counts):
            for term, times in count.items():
                found[term].append((number, times))
        self._postings = {term: self._weighed(rows, damping) for term, rows in found.items()}

    def _weighed(
        self, rows: Sequence[tuple[int, int]], damping: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The texts that have a term (n,), and what it counts in each (n,)."""
        numbers, times = np.array(rows, np.int64).T
        rarity = np.log(1 + (self._count - len(rows) + 0.5) / (len(rows) + 0.5))
        return numbers, rarity * times * (_K1 + 1) / (times + damping[numbers])

    def scores(self, question: str) -> np.ndarray:
        """(N,) float64 of all texts; 0 where one has no word of the question."""
        stops = stop_words(self._language)
        words = [word for word in runs(question) if word.casefold() not in stops] or runs(question)
        terms = analyser(self._language).terms
        found = np.zeros(self._count)
        for term in dict.fromkeys(term for word in words for term in terms(word)):
            if (posting := self._postings.get(term)) is not None:
                found[posting[0]] += posting[1]
        return found

    def best(self, question: str, count: int) -> list[int]:
        """The numbers of the texts that fit best, at most `count`; equal ones in their order."""
        scores = self.scores(question)
        order = np.argsort(-scores, kind="stable")[:count]
        return [int(number) for number in order if scores[number] > 0]
