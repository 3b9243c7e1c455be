"""Answers against references: exact match and F1 as SQuAD has them, and means with intervals.

Where a reference is one of several, the best one counts, as usual. Knows texts and numbers; knows
nothing of models.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from hornbook.core.stats import Estimate, bootstrap_ratio

ARTICLES = {
    "en": "a an the",
    "de": "der die das den dem des ein eine einen einem einer eines",
    "es": "el la los las un una unos unas",
    "fr": "le la les l un une des",
    "zh": "",
}
"""Words that an answer may have or lack; for English as in SQuAD (Rajpurkar et al. 2016)."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3040-\u30ff"
_WORD = re.compile(f"[{_HAN}{_KANA}]|[^\\W_{_HAN}{_KANA}]+")
"""A Han or Kana character, or a run of other letters and digits."""


def words(text: str) -> list[str]:
    """Words in lower case; where no spaces part them (Han, Kana), characters."""
    return _WORD.findall(text.lower())


def normalise(text: str, language: str = "en") -> str:
    """SQuAD's: lower case, no punctuation, no articles, single spaces.

    Punctuation is whatever Unicode calls so, not ASCII's alone. Han and Kana stand apart.
    """
    text = "".join(c for c in text.lower() if unicodedata.category(c)[0] not in "PS")
    text = re.sub(f"([{_HAN}{_KANA}])", r" \1 ", text)
    articles = set(ARTICLES[language].split())
    return " ".join(word for word in text.split() if word not in articles)


def exact_match(answer: str, reference: str, language: str = "en") -> float:
    """1 where both are the same once normalised, else 0."""
    return float(normalise(answer, language) == normalise(reference, language))


def token_f1(answer: str, reference: str, language: str = "en") -> float:
    """The harmonic mean of how much of the answer is in the reference, and the other way round."""
    one, other = normalise(answer, language).split(), normalise(reference, language).split()
    if not one or not other:
        return float(one == other)
    return harmonic(sum((Counter(one) & Counter(other)).values()), len(one), len(other))


def harmonic(matches: float, answer: int, reference: int) -> float:
    """F1 of so many matches in texts of so many words."""
    if not matches:
        return 0.0
    precision, recall = matches / answer, matches / reference
    return 2 * precision * recall / (precision + recall)


def best(score: Callable[[str, str], float], answer: str, references: Sequence[str]) -> float:
    """The score against the reference that suits the answer best."""
    return max(score(answer, reference) for reference in references)


def mean(values: Sequence[float], seed: int) -> Estimate:
    """The mean, with a percentile bootstrap over items, 95 %."""
    return bootstrap_ratio(values, [1.0] * len(values), seed)


def exp_mean(values: Sequence[float], seed: int) -> Estimate:
    """exp of the mean: a perplexity, of nats."""
    return Estimate(*map(_exp, mean(values, seed)))


def _exp(value: float) -> float:
    return float(np.exp(min(value, 700.0))) if math.isfinite(value) else value
