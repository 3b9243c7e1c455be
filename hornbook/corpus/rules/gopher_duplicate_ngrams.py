"""Few phrases that stand there twice (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np
from pydantic import PositiveFloat

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.rules.repetition import largest
from hornbook.corpus.texts import Texts


@register("gopher_duplicate_ngrams")
class GopherDuplicateNgrams(Rule):
    """five to ten: share of characters in runs of so many words that an earlier run equals.

    Where such runs overlap, characters count once. Characters are those of words. Measures the
    largest share relative to its threshold: above 1 is too much. In Chinese and Japanese, where a
    word here is one character, runs are twice as long.
    """

    reason: ClassVar[str] = "many repeated phrases"
    reason_zh: ClassVar[str] = "重复片段过多"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, table A1"
    hits: ClassVar[tuple[str, ...]] = (
        "we ship to all of the world today. Hats! we ship to all of the world today.",
        "Order now from our new shop. " * 4,
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "It was the best of times, it was the worst of times, and so on.",
        "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。",
    )
    most: ClassVar[float] = 1.0

    five: PositiveFloat = 0.15
    six: PositiveFloat = 0.14
    seven: PositiveFloat = 0.13
    eight: PositiveFloat = 0.12
    nine: PositiveFloat = 0.11
    ten: PositiveFloat = 0.10

    def measure(self, texts: Texts) -> np.ndarray:
        limits = (self.five, self.six, self.seven, self.eight, self.nine, self.ten)
        return largest(texts, list(enumerate(limits, 5)), _share_of_repeated)


def _share_of_repeated(texts: Texts, size: int) -> np.ndarray:
    """(N,) share of characters in runs of `size` words that an earlier run equals."""
    runs, before = texts.recurring(size), texts.word_characters_before
    places = np.sort(runs.places[~runs.first])
    starts = places.copy()
    # What the run before covers is counted there.
    starts[1:] = np.maximum(starts[1:], places[:-1] + size)
    lengths = before[places + size] - before[starts]
    covered = np.bincount(texts.words.owners[places], lengths, texts.count)
    return share(covered, texts.word_characters)
