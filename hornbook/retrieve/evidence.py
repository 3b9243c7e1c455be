"""Which sentences answer a question: those of the passages that were found, the best first.

A sentence counts by how well its passage fits, by the rare words of the question that stand in it
and around it, by how near its vector is, and by a number where one is asked for. The weights were
chosen on Chinese questions of XQuAD, one of them on English ones as well.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.opposites import Opposed
from hornbook.retrieve.quotes import TextPlace
from hornbook.retrieve.search import Hit
from hornbook.retrieve.support import content
from hornbook.retrieve.terms import analyser

_FITS, _SAYS, _AROUND, _NEAR, _NUMBER = 6.0, 4.0, 7.0, 1.0, 1.5
_NONE = 100.0
"""What a sentence loses that only repeats the question, or says the opposite of what is asked: it
comes after all others."""
_NUMBER_ASKED = re.compile(
    r"\b(?:when|what year|how (?:many|much|long|old|far|high|large|often)|what (?:percent|number|"
    r"date|age)|wann|wie ?viele?|combien|cuánt[oa]s?|quando|quanti)\b"
    r"|什么时候|何时|哪一?年|多少|几[个名人年次岁位]|多大|多长|多久|多高",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+|[一二三四五六七八九十百千万亿]{2,}")


class AnswerCandidate(NamedTuple):
    """A sentence of a passage that was found. fits: how well the passage does, 0 to 1.

    beside: the sentences before and behind it.
    """

    place: TextPlace
    text: str
    beside: tuple[str, ...]
    language: str
    fits: float


class Evidence(NamedTuple):
    """A sentence with what speaks for it. says, around: the share of the question's words, by
    rarity, that stand in it, and in it and beside it. near: cosine, None without an encoder.
    against: it says the opposite of what is asked."""

    place: TextPlace
    text: str
    score: float
    fits: float
    says: float
    around: float
    near: float | None
    against: bool = False


class Asking:
    """A question to an index: its words and how rare each is there."""

    def __init__(self, index: DocumentIndex, question: str) -> None:
        self.question = question
        self.words = index.asked_words(question)
        rarity = index.rarity([term for terms in self.words for term in terms])
        # A word's form in another language stands hardly anywhere, and makes it no rare one.
        self._weights = [min(rarity[term] for term in terms) for terms in self.words]
        self.total = sum(self._weights) or 1.0
        self._opposed = Opposed(question)
        self.wants_number = _NUMBER_ASKED.search(question) is not None

    def share(self, text: str, language: str) -> float:
        """Of the question's words, by rarity, those that stand in a text, or others that mean the
        same."""
        there, same = _terms(text, language), self._opposed.stands_for
        pairs = zip(self.words, self._weights, strict=True)
        said = (
            weight
            for terms, weight in pairs
            if any(term in there for term in terms) or same(terms, text, language)
        )
        return sum(said) / self.total

    def says_more(self, text: str, language: str) -> bool:
        """Whether a text says anything beside the question's own words, as a heading may not."""
        return bool(content(text, language).difference(*self.words))

    def against(self, text: str, language: str) -> bool:
        """Whether a text says the opposite of what is asked."""
        return self._opposed.against(text, language)

    def answers_number(self, text: str) -> bool:
        """Whether a number is asked for, and a text has one that the question has not."""
        given = set(_DIGITS.findall(self.question))
        return self.wants_number and bool(set(_DIGITS.findall(text)) - given)


@lru_cache(maxsize=20_000)
def _terms(text: str, language: str) -> frozenset[str]:
    """Those of a text: a collection that is read whole is read again for each question."""
    return frozenset(analyser(language).terms(text))


def candidates(index: DocumentIndex, hits: Sequence[Hit]) -> list[AnswerCandidate]:
    """The sentences of passages that were found, each once."""
    best = max((hit.score for hit in hits), default=0.0) or 1.0
    found: dict[TextPlace, AnswerCandidate] = {}
    for hit in hits:
        spans = index.sentences(hit.document, hit.start, hit.end)
        texts = [index.text(hit.document, span.start, span.end) for span in spans]
        for i, span in enumerate(spans):
            place = TextPlace(hit.document, span.start, span.end)
            beside = neighbours(texts, i)
            one = AnswerCandidate(place, texts[i], beside, hit.language, hit.score / best)
            found.setdefault(place, one)
    return list(found.values())


def neighbours(texts: Sequence[str], place: int) -> tuple[str, ...]:
    """The texts before and behind one of several."""
    return (*texts[max(0, place - 1) : place], *texts[place + 1 : place + 2])


def ranked(
    asking: Asking, sentences: Sequence[AnswerCandidate], near: Sequence[float] | None
) -> list[Evidence]:
    """The sentences, those that most likely answer the question first.

    near: the cosine of each to the question, by one encoder; None without.
    """
    apart = _standard(near) if near else [0.0] * len(sentences)
    found = []
    for i, one in enumerate(sentences):
        says = asking.share(one.text, one.language)
        beside = (text for text in one.beside if not asking.against(text, one.language))
        around = asking.share(" ".join([one.text, *beside]), one.language)
        score = _FITS * one.fits + _SAYS * says + _AROUND * around + _NEAR * apart[i]
        score += _NUMBER * asking.answers_number(one.text)
        against = asking.against(one.text, one.language)
        score -= _NONE * (against or not asking.says_more(one.text, one.language))
        cosine = near[i] if near else None
        found.append(Evidence(one.place, one.text, score, one.fits, says, around, cosine, against))
    return sorted(found, key=lambda one: (-one.score, one.place))


def _standard(values: Sequence[float]) -> list[float]:
    """In standard deviations from the mean: encoders differ in how far apart cosines are."""
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)) or 1.0
    return [(value - mean) / spread for value in values]
