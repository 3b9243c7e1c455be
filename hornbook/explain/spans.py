"""The longest passages of a text that stand, letter by letter, in the documents of a corpus."""

from typing import NamedTuple
from unicodedata import east_asian_width

import numpy as np

from hornbook.explain.traced_text import PlaceOfText, TracedText


class TracedSpan(NamedTuple):
    """A passage of the text, characters start to end, that can't be made longer on either side.

    times: how often it stands in the corpus, held_out of them on the side that is not trained on.
    places: the first ones.
    """

    start: int
    end: int
    text: str
    times: int
    held_out: int
    places: list[PlaceOfText]


class Traced(NamedTuple):
    """spans: the longest ones, in the order of the text. covered: characters of the text that lie
    in any passage long enough. longest: characters of the longest one, however short.
    """

    spans: list[TracedSpan]
    covered: int
    longest: int


def trace(corpus: TracedText, text: str, least: int, count: int, places: int) -> Traced:
    """Find the `count` longest passages of a size of at least `least`, with places of each.

    least: see `size_of`. places: the most of one passage.
    """
    found = _maximal(corpus, text)
    long = [span for span in found if size_of(text[slice(*span)]) >= least]
    inside = np.zeros(len(text), bool)
    for start, end in long:
        inside[start:end] = True
    chosen = sorted(sorted(long, key=lambda span: span[0] - span[1])[:count])
    spans = [
        TracedSpan(start, end, text[start:end], *corpus.places(text[start:end], places))
        for start, end in chosen
    ]
    longest = max((end - start for start, end in found), default=0)
    return Traced(spans, int(inside.sum()), longest)


def size_of(passage: str) -> int:
    """Its characters, wide ones (Chinese, Japanese, Korean) three times: they say about as much."""
    return sum(3 if east_asian_width(one) in "WF" else 1 for one in passage)


def _maximal(corpus: TracedText, text: str) -> list[tuple[int, int]]:
    """All passages that stand in the corpus and lie in no other one, in characters."""
    data = text.encode("utf-8", "replace")
    # Where each character begins, and where the last one ends.
    sizes = [len(character.encode("utf-8", "replace")) for character in text]
    starts = np.cumsum([0, *sizes]).tolist()
    found, reached = [], 0
    for number, start in enumerate(starts[:-1]):
        stop = start + corpus.longest(data[start:])
        end = int(np.searchsorted(starts, stop, side="right")) - 1  # whole characters
        # A later start reaches at least as far as an earlier one.
        if end > max(reached, number):
            found.append((number, end))
            reached = end
    return found
