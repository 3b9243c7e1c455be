"""Which test items somebody may have learned by heart: they stand in what was trained on.

An item leaks when the training part holds the same letters and digits, or when a document gives it
away by n-grams as `corpus.decontaminate` tells it. Items too short for an n-gram leak only by being
the same.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hornbook.corpus.decontaminate import OverlapConfig, given_away, index_items
from hornbook.corpus.texts import Texts

_BATCH = 4 * 2**20
"""Characters of training text looked at together."""
_SKIPPED = re.compile(r"[\W_]+")


class Leakage(NamedTuple):
    """leaked: (I,) which items, by their place. texts: how many were looked at. too_short: items
    that have no n-gram, so that they are only found whole.
    """

    leaked: set[int]
    texts: int
    too_short: int


def find_leaks(
    items: Sequence[str], training: Iterable[str], config: OverlapConfig | None = None
) -> Leakage:
    """Hold items' contents against the texts of a training part, which are read once."""
    config = config or OverlapConfig()
    known = index_items(items, [0] * len(items), ["items"], config)
    places: dict[str, list[int]] = {}
    same: dict[str, list[int]] = {}
    for i, text in enumerate(items):
        places.setdefault(text, []).append(i)
        same.setdefault(_letters(text), []).append(i)
    same.pop("", None)
    leaked: set[int] = set()
    count = 0
    for batch in _batches(training):
        count += len(batch)
        for text in batch:
            leaked.update(same.get(_letters(text), ()))
        _, found, _ = given_away(Texts(batch).folded(), known, config)
        for item in set(found.tolist()):
            leaked.update(places[known.texts[item]])
    return Leakage(leaked, count, int(known.counts[0, 1]))


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _letters(text: str) -> str:
    return _SKIPPED.sub("", text).casefold()
