"""No phrase that fills the text (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np
from pydantic import PositiveFloat

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.rules.repetition import largest
from hornbook.corpus.texts import Texts


@register("gopher_top_ngrams")
class GopherTopNgrams(Rule):
    """two, three, four: share of characters in the most frequent run of so many words.

    The longest one of those that are equally frequent; a run that stands there once does not count.
    Characters are those of words. Measures the largest share relative to its threshold: above 1 is
    too much. In Chinese and Japanese, where a word here is one character, runs are twice as long.
    """

    reason: ClassVar[str] = "a phrase that comes again and again"
    reason_zh: ClassVar[str] = "同一片段反复出现"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, table A1"
    hits: ClassVar[tuple[str, ...]] = (
        "cheap shoes online and cheap shoes here or cheap shoes there now",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "夜來風雨聲，花落知多少。春眠不覺曉，處處聞啼鳥。",
    )
    most: ClassVar[float] = 1.0

    two: PositiveFloat = 0.20
    three: PositiveFloat = 0.18
    four: PositiveFloat = 0.16

    def measure(self, texts: Texts) -> np.ndarray:
        limits = ((2, self.two), (3, self.three), (4, self.four))
        return largest(texts, limits, _share_of_top)


def _share_of_top(texts: Texts, size: int) -> np.ndarray:
    """(N,) share of characters in the most frequent run of `size` words."""
    runs, before = texts.recurring(size), texts.word_characters_before
    heads = np.flatnonzero(runs.first)
    times = np.diff(np.append(heads, len(runs.first)))
    places = runs.places[heads]
    lengths = before[places + size] - before[places]
    # One number to compare: first how often, then how long.
    best = np.zeros(texts.count, np.int64)
    np.maximum.at(best, texts.words.owners[places], (times << 32) + lengths)
    return share((best >> 32) * (best & 0xFFFFFFFF), texts.word_characters)
