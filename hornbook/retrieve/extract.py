"""The sentences that stand for all: near the middle of what a text says, and unlike one another.

Sentences are vectors; each is as central as it is near to their mean (centroid), and what was
chosen already takes from those like it (maximal marginal relevance, Carbonell and Goldstein 1998).
Knows vectors; where they come from is its caller's business.
"""

from collections.abc import Sequence

import numpy as np

_CENTRAL = 0.8
"""Share of being central; the rest is being unlike. Chosen on the training part of SciTLDR."""
_TWIN = 0.95
"""The cosine from which one says what another does: it comes last."""
_FIRST = 0.5
"""What a text's first sentence gains, as it mostly says what the text is about."""


def choose(vectors: np.ndarray, count: int, weights: Sequence[float] | None = None) -> list[int]:
    """The places of at most `count` sentences, in their order.

    vectors: (N, D), rows of length one or zero. weights: (N,) of the sentences in the mean, equal
    if not given; a sentence of weight 0 is never chosen.
    """
    if not len(vectors) or count < 1:
        return []
    shares = np.ones(len(vectors)) if weights is None else np.asarray(weights, float)
    allowed = shares > 0
    central = _stretched(vectors @ _mean(vectors, shares))
    central[int(np.argmax(allowed))] += _FIRST
    chosen: list[int] = []
    nearest = np.zeros(len(vectors))
    while len(chosen) < min(count, int(allowed.sum())):
        gain = np.where(allowed, _CENTRAL * central - (1 - _CENTRAL) * nearest, -np.inf)
        gain[nearest >= _TWIN] -= 1
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return sorted(chosen)


def _mean(vectors: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The weighted mean, of length one."""
    mean = shares @ vectors
    found: np.ndarray = mean / max(float(np.linalg.norm(mean)), 1e-9)
    return found


def _stretched(values: np.ndarray) -> np.ndarray:
    """Between 0 and 1: encoders differ in how far apart their cosines are."""
    low, high = float(values.min()), float(values.max())
    found: np.ndarray = (values - low) / max(high - low, 1e-9)
    return found
