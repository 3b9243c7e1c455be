"""Hits put into another order by whoever reads the question beside each of them.

Knows hits and scores; where these come from is its caller's business.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from hornbook.retrieve.search import Hit

if TYPE_CHECKING:
    import numpy as np

READ = 50
"""Hits that are read, the best of the search before."""
SETTINGS = "rerank.json"
"""The file of a model's folder that says how much its scores count."""


class Reranking(NamedTuple):
    """scores: of a question beside texts, (N,). weight: what they count beside the search's own, 0
    to 1, each as shares between the worst and the best of those that are read."""

    scores: Callable[[str, Sequence[str]], "np.ndarray"]
    weight: float = 1.0

    def ranked(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """The hits by both scores, the best first, equal ones as before; behind them those that are
        not read, whose scores are less than 0."""
        read, rest = hits[:READ], hits[READ:]
        if not read:
            return []
        texts = [f"{hit.title}\n{hit.text}" if hit.title else hit.text for hit in read]
        given, own = self.scores(question, texts), between([hit.score for hit in read])
        both = self.weight * between(given) + (1 - self.weight) * own
        found = [
            dataclasses.replace(hit, score=float(score), rerank=float(one))
            for hit, score, one in zip(read, both, given, strict=True)
        ]
        found.sort(key=lambda hit: -hit.score)
        return [*found, *(dataclasses.replace(h, score=-1.0 - i) for i, h in enumerate(rest))]


def between(scores: "np.ndarray | Sequence[float]") -> "np.ndarray":
    """Scores as shares of the way from the worst to the best of them."""
    import numpy as np

    found = np.asarray(scores, np.float64)
    if not len(found):
        return found
    shares: np.ndarray = (found - found.min()) / ((found.max() - found.min()) or 1.0)
    return shares
