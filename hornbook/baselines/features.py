"""Hand-made features of a message: each a named function of its text, in one registry.

These are what people look at when they judge a message: words that lure, shouting, links, numbers.
Counts are given as log(1 + n), since the tenth exclamation mark says less than the first. Every
function takes any text, in time that grows with its length only. A new feature is one function.
"""

import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.baselines import links as addresses
from hornbook.baselines import trigger_words as triggers


class Feature(NamedTuple):
    """about: what it measures, in a sentence. measure: of a text, a finite number from 0."""

    name: str
    about: str
    measure: Callable[[str], float]


FEATURES: dict[str, Feature] = {}


def feature(measure: Callable[[str], float]) -> Callable[[str], float]:
    """Register a function under its name; its docstring's first line is what the user reads."""
    name = measure.__name__
    assert name not in FEATURES and measure.__doc__
    FEATURES[name] = Feature(name, measure.__doc__.partition("\n")[0], measure)
    return measure


def measure_all(texts: Sequence[str]) -> np.ndarray:
    """(N, F) float64: every registered feature of every text, in the registry's order."""
    rows = [[known.measure(text) for known in FEATURES.values()] for text in texts]
    return np.array(rows, np.float64).reshape(len(texts), len(FEATURES))


def _log(count: float) -> float:
    return math.log1p(count)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


@functools.lru_cache(maxsize=1)  # many features ask of the same text, one after the other
def _signs(text: str) -> Counter[str]:
    return Counter(text)


def _how_many(text: str, belongs: Callable[[str], bool]) -> int:
    """Characters of a kind, asked once for each different one."""
    return sum(count for sign, count in _signs(text).items() if belongs(sign))


@functools.lru_cache(maxsize=1)
def _links(text: str) -> list[addresses.Link]:
    return addresses.links(text)


def _count(pattern: re.Pattern[str], text: str) -> float:
    return _log(sum(1 for _ in pattern.finditer(text)))


_PRIZE, _OFFER = triggers.pattern(triggers.PRIZE), triggers.pattern(triggers.OFFER)
_URGENCY, _ACCOUNT = triggers.pattern(triggers.URGENCY), triggers.pattern(triggers.ACCOUNT)
_REPLY, _INTIMACY = triggers.pattern(triggers.REPLY), triggers.pattern(triggers.INTIMACY)
_CONVERSATION = triggers.pattern(triggers.CONVERSATION)


@feature
def prize_words(text: str) -> float:
    """Words about winning and gifts, as log(1 + n)."""
    return _count(_PRIZE, text)


@feature
def offer_words(text: str) -> float:
    """Words about bargains, credit and goods, as log(1 + n)."""
    return _count(_OFFER, text)


@feature
def urgency_words(text: str) -> float:
    """Words that press for time, as log(1 + n)."""
    return _count(_URGENCY, text)


@feature
def account_words(text: str) -> float:
    """Words about accounts, banks and parcels, as log(1 + n)."""
    return _count(_ACCOUNT, text)


@feature
def reply_words(text: str) -> float:
    """Words that ask for a call, a reply or a click, and small print, as log(1 + n)."""
    return _count(_REPLY, text)


@feature
def intimacy_words(text: str) -> float:
    """Words about sex and dating, as log(1 + n)."""
    return _count(_INTIMACY, text)


@feature
def conversation_words(text: str) -> float:
    """Words people say to people they know, as log(1 + n)."""
    return _count(_CONVERSATION, text)


@feature
def exclamation_marks(text: str) -> float:
    """Exclamation marks, full-width ones too, as log(1 + n)."""
    return _log(text.count("!") + text.count("！"))


@feature
def question_marks(text: str) -> float:
    """Question marks, full-width ones too, as log(1 + n)."""
    return _log(text.count("?") + text.count("？"))


_WORD = re.compile(r"[^\W\d_]+")


@feature
def capital_words(text: str) -> float:
    """Words of three or more letters, all capitals, as log(1 + n)."""
    return _log(sum(len(word) >= 3 and word.isupper() for word in _WORD.findall(text)))


@feature
def capital_share(text: str) -> float:
    """Share of capitals among the letters."""
    return _share(_how_many(text, str.isupper), _how_many(text, str.isalpha))


@feature
def links(text: str) -> float:
    """Links of any kind, as log(1 + n)."""
    return _log(len(_links(text)))


@feature
def short_links(text: str) -> float:
    """Links through services that hide where they lead, as log(1 + n)."""
    return _log(sum(map(addresses.is_short, _links(text))))


@feature
def number_links(text: str) -> float:
    """Links to a bare number instead of a name, as log(1 + n)."""
    return _log(sum(map(addresses.is_bare_address, _links(text))))


@feature
def odd_endings(text: str) -> float:
    """Links to top-level domains that are mostly abused, as log(1 + n)."""
    return _log(sum(map(addresses.has_odd_ending, _links(text))))


@feature
def disguised_links(text: str) -> float:
    """Links whose name pretends to be another, as log(1 + n)."""
    return _log(sum(map(addresses.is_disguised, _links(text))))


@feature
def mismatched_links(text: str) -> float:
    """Links that show one host and lead to another, as log(1 + n)."""
    return _log(addresses.mismatches(text))


@feature
def characters(text: str) -> float:
    """Length in characters, as log(1 + n)."""
    return _log(len(text))


@feature
def words(text: str) -> float:
    """Words; each Chinese, Japanese or Korean character is one; as log(1 + n)."""
    return _log(len(_TOKEN.findall(text)))


@feature
def word_length(text: str) -> float:
    """Mean length of what stands between white space, at most 100."""
    found = text.split()
    return min(100.0, _share(sum(map(len, found)), len(found)))


@feature
def digit_share(text: str) -> float:
    """Share of digits among all characters."""
    return _share(_how_many(text, str.isdecimal), len(text))


_PHONE = re.compile(r"(?<![\d.])(?:\+|00)?\d(?:[ ().-]{0,2}\d){8,14}(?!\d)")
_SHORT_CODE = re.compile(r"(?<![\d£$€¥.,/:-])\d{4,6}(?![\d.,/:-]\d|\d)")
_MONEY = re.compile(r"[£$€¥￥]|(?<=\d)\s?(?:p|pence|usd|gbp|eur|rmb|元|块)(?!\w)", re.IGNORECASE)


@feature
def phone_numbers(text: str) -> float:
    """Numbers of 9 to 15 digits that could be dialled (E.164), as log(1 + n)."""
    return _count(_PHONE, text)


@feature
def short_codes(text: str) -> float:
    """Numbers of 4 to 6 digits that could be texted, as log(1 + n)."""
    return _count(_SHORT_CODE, text)


@feature
def money(text: str) -> float:
    """Currency signs and units after a number, as log(1 + n)."""
    return _count(_MONEY, text)


@feature
def mixed_codes(text: str) -> float:
    """Words that mix letters and digits, four signs or more, as log(1 + n)."""
    return _log(
        sum(
            len(word) >= 4 and not word.isdecimal() and any(map(str.isdecimal, word))
            for word in _TOKEN.findall(text)
        )
    )


@feature
def punctuation_share(text: str) -> float:
    """Share of punctuation among all characters."""
    return _share(_how_many(text, _is_punctuation), len(text))


def _is_punctuation(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "P"


_ELLIPSIS = re.compile(r"\.{2,}|…+|。{2,}")
_EMOTICON = re.compile(r"[:;=8][-'o]?[)(\]\[dpDP/\\|*](?![\w/])|<3|\^_\^|\bxx+\b", re.IGNORECASE)
_STRETCHED = re.compile(r"(?!www)([^\W\d_])\1{2,}", re.IGNORECASE)
_SPACED = re.compile(r"(?<!\w)(?:[^\W\d_][ .*_-]){3,}[^\W\d_](?!\w)")


@feature
def ellipses(text: str) -> float:
    """Runs of dots, as log(1 + n)."""
    return _count(_ELLIPSIS, text)


@feature
def emoticons(text: str) -> float:
    """Faces and kisses of plain signs, as log(1 + n)."""
    return _count(_EMOTICON, text)


@feature
def emoji(text: str) -> float:
    """Pictures and symbols of Unicode's category So beyond U+203B, as log(1 + n)."""
    return _log(_how_many(text, _is_picture))


def _is_picture(sign: str) -> bool:
    return ord(sign) > 0x203B and unicodedata.category(sign) == "So"


@feature
def stretched_words(text: str) -> float:
    """Letters three times or more in a row, as log(1 + n)."""
    return _count(_STRETCHED, text)


@feature
def spaced_letters(text: str) -> float:
    """Words written letter by letter to pass filters, as log(1 + n)."""
    return _count(_SPACED, text)


@feature
def hidden_characters(text: str) -> float:
    """Invisible characters (Unicode's Cf) and words of two alphabets, as log(1 + n)."""
    if text.isascii():
        return 0.0
    hidden = _how_many(text, lambda sign: unicodedata.category(sign) == "Cf")
    return _log(hidden + sum(map(_mixes_alphabets, _WORD.findall(text))))


@feature
def han_share(text: str) -> float:
    """Share of Chinese characters among the letters."""
    han = _how_many(text, lambda sign: "\u4e00" <= sign <= "\u9fff")
    return _share(han, _how_many(text, str.isalpha))


_LATIN, _ALIKE = re.compile("[A-Za-z]"), re.compile("[\u0370-\u03ff\u0400-\u04ff]")
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def _mixes_alphabets(word: str) -> bool:
    """Latin letters beside Greek or Cyrillic ones, which look alike."""
    return bool(_ALIKE.search(word) and _LATIN.search(word))
