"""Words that mean the opposite of what is asked: where something begins is no answer to when it
ends, though hardly any measure of texts tells the two apart.

A sentence that has a word of one side, and none of the other, is against a question that has the
other. Words of one side stand for one another. Three languages; others have no such words.
"""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

from hornbook.retrieve.terms import analyser, stop_words

_DENSE = "\u2e80"
_PAIRS = (
    {
        "en": "begin began begun start commence | "
        "end expire expiry terminate conclude cease finish",
        "de": "beginnen beginnt begann begonnen Beginn anfangen Anfang starten startet startete | "
        "enden endet endete Ende ablaufen abläuft abgelaufen Ablauf auslaufen erlöschen erlischt "
        "aufhören",
        "zh": "开始 起始 起算 始于 生效 | 结束 终止 届满 到期 失效 截止",
    },
    {
        "en": "born birth birthplace | died die death",
        "de": "geboren geborene Geburt | gestorben sterben starb stirbt verstarb verstorben Tod",
        "zh": "出生 诞生 生于 | 去世 逝世 死亡 病逝 卒于",
    },
    {
        "en": "founded establish inaugurate | dissolve abolish disband",
        "de": "gegründet gründen gründete Gründung | aufgelöst auflösen Auflösung abgeschafft",
        "zh": "成立 创立 创办 建立 | 解散 撤销 废除",
    },
    {
        "en": "open | close closure",
        "de": "öffnen öffnet öffnete eröffnet Eröffnung | schließen schließt schloss geschlossen "
        "Schließung",
        "zh": "开放 开业 开门 | 关闭 关门 停业",
    },
    {
        "en": "arrive arrival | depart departure",
        "de": "ankommen Ankunft | abfahren Abfahrt Abreise Abflug",
        "zh": "到达 抵达 | 出发 离开",
    },
    {
        "en": "maximum highest largest biggest longest | minimum lowest smallest shortest",
        "de": "höchste höchster größte größter längste längster maximal Maximum höchstens | "
        "niedrigste niedrigster kleinste kleinster kürzeste kürzester minimal Minimum mindestens",
        "zh": "最高 最大 最长 最多 至多 | 最低 最小 最短 最少 至少",
    },
    {"en": "import | export", "de": "Einfuhr Import | Ausfuhr Export", "zh": "进口 | 出口"},
)  # fmt: skip
"""Two sides of words each, by language: when something was, and how large. Whether something may
be, rose or was won is answered by its opposite as well, so such words are not here."""


_NOT = re.compile(r"\b(?:not|no|never|nicht|kein\w*|nie)\b|n['’]t\b|[不没未]", re.IGNORECASE)
"""What turns a word into its opposite."""


class Side(NamedTuple):
    """One of the two sides of a pair, by its number."""

    pair: int
    second: bool

    @property
    def other(self) -> "Side":
        """What means the opposite."""
        return Side(self.pair, not self.second)


class Opposed:
    """A question that has words with an opposite; one that has both sides of a pair asks for both,
    and no sentence is against it."""

    def __init__(self, question: str) -> None:
        found = sides(question, _language(question))
        self._asked = frozenset(side for side in found if side.other not in found)

    def against(self, text: str, language: str) -> bool:
        """Whether a text has the opposite of what is asked, and not what is asked."""
        if not self._asked or _NOT.search(text):
            return False
        said = sides(text, language)
        return any(side.other in said and side not in said for side in self._asked)

    def stands_for(self, terms: tuple[str, ...], text: str, language: str) -> bool:
        """Whether a text has another word of the side that a word of the question is of."""
        mine = {side for term in terms for side in _sides_of(term)} & self._asked
        return bool(mine) and bool(mine & sides(text, language))


@lru_cache(maxsize=20_000)
def sides(text: str, language: str) -> frozenset[Side]:
    """The sides that a text has words of."""
    words = _words(language)
    if language == "zh":
        return frozenset(side for word, side in words if word in text)
    there = frozenset(analyser(language).terms(text))
    return frozenset(side for word, side in words if word in there)


@cache
def _words(language: str) -> tuple[tuple[str, Side], ...]:
    return tuple(_read(language))


def _read(language: str) -> Iterator[tuple[str, Side]]:
    """The words of a language as its texts have them: terms, or stretches of characters."""
    for number, pair in enumerate(_PAIRS):
        for second, words in enumerate(pair.get(language, "|").split("|")):
            for word in words.split():
                terms = [word] if language == "zh" else analyser(language).terms(word)
                yield from ((term, Side(number, bool(second))) for term in terms)


@cache
def _sides_of(term: str) -> frozenset[Side]:
    """The sides that a term is of, in any language that has spaces."""
    return frozenset(side for code in ("en", "de") for word, side in _words(code) if word == term)


def _language(question: str) -> str:
    """Which of the languages a question is in, most likely."""
    if any(letter >= _DENSE for letter in question):
        return "zh"
    words = question.casefold().split()
    return max(("en", "de"), key=lambda code: sum(word in stop_words(code) for word in words))
