"""How good a ranking is: what information retrieval measures, one figure a question.

Legend: gains is a list with the worth of what stands at each rank, 0 for what is not asked for.
"""

import math
from collections.abc import Sequence


def ndcg(gains: Sequence[float], ideal: Sequence[float], k: int = 10) -> float:
    """Normalised discounted cumulative gain of the first k (Järvelin & Kekäläinen 2002), 0 to 1.

    ideal: the worth of all that is to be found, in any order. Gains are taken as they are and
    discounted by log2(rank + 1), as trec_eval does.
    """
    best = _discounted(sorted(ideal, reverse=True)[:k])
    return _discounted(gains[:k]) / best if best else 0.0


def recall(gains: Sequence[float], wanted: int, k: int) -> float:
    """The share of what is to be found, `wanted` in number, that stands among the first k."""
    return sum(gain > 0 for gain in gains[:k]) / wanted


def reciprocal_rank(gains: Sequence[float], k: int = 10) -> float:
    """1 / the rank of the first that is right, 0 where none is among the first k."""
    return next((1 / rank for rank, gain in enumerate(gains[:k], 1) if gain > 0), 0.0)


def hit(gains: Sequence[float], k: int) -> float:
    """1 where something right is among the first k, else 0."""
    return float(any(gain > 0 for gain in gains[:k]))


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
