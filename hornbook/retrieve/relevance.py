"""Whether a document is about what is asked, as a probability: by its vector, and by words.

How near a text is counts by how far that is beyond what sentences on other things are (see
`retrieve.unrelated`), in their standard deviations: so encoders and languages become alike. The
weights began as a fit to questions of XQuAD in English and Chinese beside their paragraphs and
others'; since sentences are looked at as well they are set by hand, so that probabilities tell the
order but were not checked against shares (docs/log.md). Knows numbers.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

_SHARE, _NEAR, _NOTHING = 1.3, 1.2, -5.9
"""Weights of words and of nearness where half of all meet, and a constant."""
_USUAL, _USUAL_DENSE = 0.75, 0.49
"""Of a question's words, by rarity, those that stand in what answers it, on average; the second
where characters are words."""
_DENSE = "\u2e80"
_BEFORE = 10.0
"""Documents of each kind that are taken to be there before any is looked at."""
_ROUNDS = 200


class Relevance(NamedTuple):
    """mean, spread: of cosines to what has nothing to do with the question. usual: the share of its
    words that an answer has."""

    mean: float
    spread: float
    usual: float

    @classmethod
    def of(cls, unrelated: np.ndarray, question: str) -> Self:
        """By cosines of unrelated sentences (N,) to a question."""
        dense = any(letter >= _DENSE for letter in question)
        usual = _USUAL_DENSE if dense else _USUAL
        return cls(float(unrelated.mean()), float(unrelated.std()) or 1.0, usual)

    def probability(self, share: float, near: float) -> float:
        """That a text answers, where half of all texts do. share: of the question's words, by
        rarity, those in it; near: its cosine."""
        beyond = (near - self.mean) / self.spread
        score = _SHARE * share / self.usual + _NEAR * beyond + _NOTHING
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))


def with_prior(probabilities: Sequence[float]) -> list[float]:
    """The same, where not half of all documents meet what is asked but as many as these say.

    Expectation and maximisation by turns (Saerens, Latinne & Decaestecker 2002), from some
    documents of each kind on, so that of a few none decides alone.
    """
    half = np.clip(np.asarray(probabilities, np.float64), 1e-12, 1 - 1e-12)
    odds, found = half / (1 - half), half
    for _ in range(_ROUNDS):
        share = (found.sum() + _BEFORE) / (len(found) + 2 * _BEFORE)
        now = odds * share / (odds * share + 1 - share)
        if len(found) == 0 or np.abs(now - found).max() < 1e-9:
            break
        found = now
    return [float(value) for value in found]
