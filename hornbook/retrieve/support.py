"""Whether what somebody wrote stands in a text: which sentence says it, and how much of it.

A sentence is supported by one that has most of its words of content, all of its numbers and all of
its names. That is strict: what is said in other words counts as unsupported. Knows texts.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from hornbook.retrieve.terms import analyser, stop_words

_ENOUGH = 0.6
"""Share of the words of content that must stand in the source."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<![.!?…:\"“”'‘’]\s)(?<!^)\b[A-ZÀ-ÖØ-Þ][\w'’-]+")
"""A word with a capital that does not begin a sentence."""
_CAPITALISED = frozenset(["de", "lb"])
"""Languages whose nouns have capitals: they are no sign of a name."""


class Support(NamedTuple):
    """Where a sentence comes from. place: of the sources, None where there are none of its words.

    share: of its words of content that stand there. holds: whether that is enough.
    """

    place: int | None
    share: float
    holds: bool


class Grounds:
    """Sentences that others are held against."""

    def __init__(self, texts: Sequence[str], language: str) -> None:
        self.texts, self.language = texts, language
        self._terms = [content(text, language) for text in texts]
        self._numbers = [frozenset(_numbers(text)) for text in texts]

    def support(self, sentence: str) -> Support:
        """The source that has the most of a sentence, with the one before and after it for words
        that it points back to."""
        wanted = content(sentence, self.language)
        if not wanted or not self.texts:
            return Support(None, 0.0, False)
        shares = [len(wanted & terms) / len(wanted) for terms in self._terms]
        best = max(range(len(shares)), key=shares.__getitem__)
        if shares[best] == 0:
            return Support(None, 0.0, False)
        near = range(max(0, best - 1), min(len(self.texts), best + 2))
        said = frozenset[str]().union(*(self._terms[i] for i in near))
        share = len(wanted & said) / len(wanted)
        known = frozenset[str]().union(*(self._numbers[i] for i in near))
        around = " ".join(self.texts[i] for i in near).casefold()
        names = [] if self.language in _CAPITALISED else _NAME.findall(sentence)
        whole = _numbers(sentence) <= known and all(name.casefold() in around for name in names)
        return Support(best, share, whole and share >= _ENOUGH)


def loops(text: str, language: str) -> bool:
    """Whether a text says the same again and again, as small models do."""
    words = analyser(language).terms(text)
    size = 6 if language in ("zh", "ja") else 4
    grams = Counter(tuple(words[i : i + size]) for i in range(len(words) - size + 1))
    repeated = sum(count - 1 for count in grams.values())
    return repeated > 3 and repeated > len(words) / 5


@lru_cache(maxsize=4096)
def content(text: str, language: str) -> frozenset[str]:
    """The terms of a text that are no stop words."""
    terms = analyser(language).terms
    stops = frozenset(term for word in stop_words(language) for term in terms(word))
    return frozenset(terms(text)) - stops


def _numbers(text: str) -> frozenset[str]:
    return frozenset(number.replace(",", "") for number in _NUMBER.findall(text))
