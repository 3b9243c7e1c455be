"""The deletion test: does a ranking of the pieces of an input find what the model relies on?

Pieces are taken away in the order of the ranking, and the faster what the model said becomes
improbable, the better the ranking (Samek et al. 2017; comprehensiveness in DeYoung et al. 2020). It
is compared with an order that uses no model: where text goes on, the most recent token first. That
is a strong one, while almost anything beats random order.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.progress import Advance
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.explain.explained import Explained

RECENCY = "recency"
BEATS, NO_BETTER, WORSE = "beats", "no better than", "worse than"


class PlainOrder(NamedTuple):
    """An order of pieces that needs no model. scores: (N,), the largest is taken away first."""

    name: str
    scores: np.ndarray


class Verdict(NamedTuple):
    """Of a method: how much further the target's log-probability falls than by a plain order.

    value, low, high: nats, mean over contexts of the mean over steps, with its 95 % interval. fall,
    plain: what either falls by. contexts: how many. against: the plain order.
    """

    method: str
    value: float
    low: float
    high: float
    fall: float
    plain: float
    contexts: int
    against: str

    @property
    def says(self) -> str:
        """In words; no interval beyond 0, no difference."""
        if self.contexts < 2 or not (self.low > 0 or self.high < 0):
            return NO_BETTER
        return BEATS if self.low > 0 else WORSE


def steps_of(size: int) -> list[int]:
    """How many pieces are away when it is looked: 1, 2, 4 ... and all."""
    return sorted({*(2**i for i in range(size.bit_length())), size} - {0})


def falls(
    explained: Explained,
    rankings: Mapping[str, np.ndarray],
    advance: Advance = lambda amount: None,
    plain: PlainOrder | None = None,
) -> dict[str, float]:
    """By how much the target's log-probability falls, mean over the steps, by each ranking.

    rankings: scores (N,), the largest is taken away first; of equal ones the later. plain: what
    they are compared with, recency if None; it comes first. Pieces that are what is asked about
    stay; there are others.
    """
    size, places = explained.size, np.arange(explained.size)
    free = np.array([place for place in places if place not in explained.asked], int)
    steps = steps_of(len(free))
    plain = plain or PlainOrder(RECENCY, places)
    scores = {plain.name: plain.scores, **rankings}
    kept = [np.ones((1, size), bool)]
    for score in scores.values():
        order = free[np.lexsort((-free, -score[free]))]
        rows = np.ones((len(steps), size), bool)
        for row, step in zip(rows, steps, strict=True):
            row[order[:step]] = False
        kept.append(rows)
    found = explained.log_probabilities(np.concatenate(kept), advance).sum(1)
    after = found[1:].reshape(len(scores), len(steps))
    return dict(zip(scores, (found[0] - after).mean(1).tolist(), strict=True))


def verdicts(found: Sequence[Mapping[str, float]]) -> list[Verdict]:
    """Of each method over all contexts (what `falls` gave of each), the best one first."""
    if not found:
        return []
    given, (against, *methods) = [], found[0]
    for method in methods:
        both = np.array([(row[method], row[against]) for row in found])
        value, low, high = _mean(both[:, 0] - both[:, 1])
        fall, plain = both.mean(0).tolist()
        given.append(Verdict(method, value, low, high, fall, plain, len(found), against))
    return sorted(given, key=lambda one: -one.value)


def _mean(values: np.ndarray) -> Estimate:
    """With a bootstrap over contexts; of a single one nothing is known."""
    if len(values) < 2:
        return Estimate(float(values.mean()), -math.inf, math.inf)
    return bootstrap_ratio(values.tolist(), [1.0] * len(values))
