"""Hits put into another order by whoever reads the question beside each of them.

Knows hits and scores; where these come from is its caller's business.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.retrieve.search import By, Hit

if TYPE_CHECKING:
    import numpy as np

READ = 50
"""Hits that are read, the best of the search before."""
SETTINGS = "rerank.json"
"""The file of a model's folder that says how much its scores count."""


class Counting(NamedTuple):
    """How much a reranker's scores count beside a search's own, 0 to 1: `weight`, or what `by` says
    of a way of searching. read: hits that are read, the best ones. settled: whether that was
    measured; a model of elsewhere says nothing of it, and alone decides."""

    weight: float = 1.0
    by: Mapping[By, float] = {}
    read: int = READ
    settled: bool = False

    def of(self, by: By) -> float:
        """What they count beside a way of searching."""
        return self.by.get(by, self.weight)

    def plain(self) -> dict[str, Any]:
        """As the file has it."""
        return {"weight": self.weight, "by": dict(self.by), "read": self.read}

    @classmethod
    def parse(cls, values: Any, where: str) -> "Counting":
        """Of the file `where`. Raises HornbookError for what cannot be."""
        values = values if isinstance(values, dict) else {}
        by, read = values.get("by", {}), values.get("read", READ)
        weights = [values.get("weight"), *(by.values() if isinstance(by, dict) else [None])]
        for weight in weights:
            if type(weight) not in (int, float) or not 0 <= weight <= 1:
                raise HornbookError(f"{where}: weight = {weight!r}: must be 0 to 1.")
        if type(read) is not int or read < 1:
            raise HornbookError(f"{where}: read = {read!r}: must be 1 or more.")
        return cls(float(weights[0]), by, read, True)


class Reranking(NamedTuple):
    """scores: of a question beside texts, (N,)."""

    scores: Callable[[str, Sequence[str]], "np.ndarray"]
    counting: Counting = Counting()

    def ranked(self, question: str, hits: Sequence[Hit], by: By) -> list[Hit]:
        """The hits by both scores, each as a share between the worst and the best of those that are
        read; the best first, equal ones as before, behind them those that are not read, whose
        scores are less than 0. As they are where the reranker counts nothing."""
        weight, read = self.counting.of(by), hits[: self.counting.read]
        if not weight or not read:
            return list(hits)
        texts = [f"{hit.title}\n{hit.text}" if hit.title else hit.text for hit in read]
        given, own = self.scores(question, texts), between([hit.score for hit in read])
        both = weight * between(given) + (1 - weight) * own
        found = [
            dataclasses.replace(hit, score=float(score), rerank=float(one))
            for hit, score, one in zip(read, both, given, strict=True)
        ]
        found.sort(key=lambda hit: -hit.score)
        rest = hits[len(read) :]
        return [*found, *(dataclasses.replace(h, score=-1.0 - i) for i, h in enumerate(rest))]


def between(scores: "np.ndarray | Sequence[float]") -> "np.ndarray":
    """Scores as shares of the way from the worst to the best of them."""
    import numpy as np

    found = np.asarray(scores, np.float64)
    if not len(found):
        return found
    shares: np.ndarray = (found - found.min()) / ((found.max() - found.min()) or 1.0)
    return shares
