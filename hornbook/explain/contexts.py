"""Contexts of a text to try rankings on: at any place, and where the evidence is far back."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

MOST_TOKENS = 200_000
"""Of a text that contexts are taken from."""


class TextContext(NamedTuple):
    """ids: (T,) of the context. target: the token after it. evidence: place in the context of the
    only earlier occurrence of the target, where that is what is asked."""

    ids: np.ndarray
    target: int
    evidence: int | None = None


def spread(ids: np.ndarray, size: int, count: int) -> list[TextContext]:
    """At most `count` contexts of at most `size` tokens, evenly over a text, whatever follows."""
    first = min(size, max(1, len(ids) // 4))
    ends = np.unique(np.linspace(first, len(ids) - 1, count).round().astype(int))
    return [_at(ids, int(end), size) for end in ends if 0 < end < len(ids)]


def far(ids: np.ndarray, size: int) -> Iterator[TextContext]:
    """Contexts after which a token comes that stands in them once, in their first half: a name or
    another rare word, the rarest in the text first, each token once."""
    counts = Counter(ids.tolist())
    last: dict[int, int] = {}
    before: dict[int, int] = {}
    found: dict[int, tuple[int, int]] = {}
    for at, token in enumerate(ids.tolist()):
        gap = at - last.get(token, -(10**9))
        alone = at - before.get(token, -(10**9)) > size
        if size // 2 < gap <= size and at >= size and alone and token not in found:
            found[token] = (at, last[token])
        if token in last:
            before[token] = last[token]
        last[token] = at
    for token in sorted(found, key=lambda one: (counts[one], found[one])):
        at, evidence = found[token]
        yield _at(ids, at, size)._replace(evidence=evidence - (at - size))


def _at(ids: np.ndarray, at: int, size: int) -> TextContext:
    return TextContext(ids[max(0, at - size) : at], int(ids[at]))


def joined(texts: Sequence[np.ndarray]) -> np.ndarray:
    """The ids of several texts, one behind the other, of a bounded number."""
    together = np.concatenate(texts) if texts else np.zeros(0, np.int64)
    return together[:MOST_TOKENS].astype(np.int64)
