"""What is shown of a hit: the words that were found in it, and which passages say the same."""

from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from hornbook.retrieve.sentences import Span
from hornbook.retrieve.terms import Term, analyser

_SNIPPET = 280
"""Characters that are shown of a passage."""
_ALIKE = 0.8
"""Share of words in both, from which two passages say the same."""
_SOME = 0.4
"""Share of an outline that is looked at first: twice what may be missing in another."""
_LONGEST_WORD = 20
"""Characters of a word of a text with spaces, on average, at most."""


class Shown(NamedTuple):
    """A part of a passage, in its characters. highlights: the words of the question in it."""

    start: int
    end: int
    highlights: list[Span]


def highlights(text: str, language: str, wanted: Iterable[str]) -> list[Span]:
    """Where the terms of a question stand in a text, without overlaps."""
    terms = frozenset(wanted)
    longer = {letter for term in terms if len(term) == 2 for letter in term}
    found: list[Span] = []
    for term in sorted(_found(text, language, terms, longer), key=lambda term: term.start):
        if found and term.start <= found[-1].end and _touches(text, found[-1], term):
            found[-1] = Span(found[-1].start, max(found[-1].end, term.end))
        else:
            found.append(Span(term.start, term.end))
    return found


def _found(text: str, language: str, terms: frozenset[str], pairs: set[str]) -> list[Term]:
    """A single character counts only where the question has it by itself, in no pair."""
    return [
        term
        for term in analyser(language).placed(text)
        if term.text in terms and not (len(term.text) == 1 and term.text in pairs)
    ]


def _touches(text: str, before: Span, term: Term) -> bool:
    """Whether a term goes on where the last one ends: within a word, or a script without spaces."""
    return term.start < before.end or not text[before.end - 1].isascii()


def snippet(text: str, marked: Sequence[Span]) -> Shown:
    """The part of a text in which the most of what is marked stands, between words."""
    if len(text) <= _SNIPPET:
        return Shown(0, len(text), list(marked))
    best, most = 0, -1
    for i, first in enumerate(marked):
        inside = {
            text[span.start : span.end].casefold()
            for span in marked[i : i + 20]
            if span.end <= first.start + _SNIPPET * 3 // 4
        }
        if len(inside) > most:
            best, most = first.start, len(inside)
    start = _between(text, max(0, best - _SNIPPET // 4))
    end = min(len(text), start + _SNIPPET)
    if end < len(text):
        space = text.rfind(" ", start + _SNIPPET * 3 // 4, end)
        end = space if space > 0 else end
    return Shown(start, end, [s for s in marked if s.start >= start and s.end <= end])


def _between(text: str, place: int) -> int:
    """The beginning of the next word, if one begins soon."""
    if place == 0:
        return 0
    space = text.find(" ", place, place + 20)
    return space + 1 if space >= 0 else place


def outline(text: str) -> frozenset[str]:
    """What of a text is compared with others: its words, and pairs of characters where it has no
    spaces."""
    words = text.casefold().split()
    if len(words) * _LONGEST_WORD < len(text):
        return frozenset(map("".join, pairwise(text)))
    return frozenset(words)


def twin(one: frozenset[str], others: Sequence[frozenset[str]]) -> int | None:
    """The place of the first outline that is almost the same as one (Jaccard's index).

    A search compares some hundred pairs, so that most must be told apart by a part of them.
    """
    size = len(one)
    some = frozenset(islice(one, int(_SOME * size)))
    for place, other in enumerate(others):
        less, more = (size, len(other)) if size < len(other) else (len(other), size)
        if less < _ALIKE * more or len(some - other) > size - _ALIKE * more:
            continue
        both = len(one & other)
        if both >= _ALIKE * (less + more - both):
            return place
    return None
