"""Leakage: what is measured on and was trained on."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator

from hornbook.corpus.decontaminate import OverlapConfig
from hornbook.evaluate.leakage import find_leaks
from hornbook.workflows.doctor.diagnosis import (
    Diagnosis,
    beside_the_point,
    check,
    doubtful,
    faulty,
    sound,
)
from hornbook.workflows.doctor.subject import Subject

_ITEMS = 2000
_BYTES = 8 * 2**20
_MANY = 0.05
"""Share of held-out items, from which on a score says little. Some near copies are in most texts:
0.7 % of Python's documentation, 2 % of a set of medical answers."""
_NEARLY_WHOLE = OverlapConfig(passage=10**9)
"""A licence that long documents share gives none of them away."""


@check("splits", "What is measured on was not trained on", "problem", turn=2)
def held_apart(subject: Subject) -> Diagnosis:
    """By the same letters and digits, or by most of its runs of eight words."""
    problem = subject.problem
    assert problem is not None
    sides = problem.sides()
    if sides is None:
        return beside_the_point("nothing is held out here that could be compared")
    learned, measured = (map(_text, side) for side in sides)
    items = [item for item in itertools.islice(measured, _ITEMS) if item.strip()]
    found = find_leaks(items, _some(learned), _NEARLY_WHOLE)
    shown = f"{len(found.leaked):,} of {len(items):,} held-out items stand in what is trained on"
    if len(found.leaked) > _MANY * len(items):
        return faulty(shown, "Take them out of one side: the score would count what was learned.")
    if found.leaked:
        return doubtful(shown, "Take them out of one side; they are few.")
    return sound(shown)


def _text(item: str | bytes) -> str:
    """Items that are no text are compared by what is in them."""
    return item if isinstance(item, str) else hashlib.blake2b(item, digest_size=16).hexdigest()


def _some(texts: Iterable[str]) -> Iterator[str]:
    """As much as there is time to look at."""
    left = _BYTES
    for text in texts:
        yield text
        left -= len(text)
        if left < 0:
            return
