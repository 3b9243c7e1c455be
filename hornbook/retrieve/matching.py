"""Where a text stands in another that is written a little otherwise: the same characters, other
breaks.

Both are compared without white space and hyphens, ligatures and compatibility forms (Kangxi
radicals, full-width letters) as the plain characters, quotation marks and dashes of one kind. A map
leads from what is compared back to the characters of the text as it is. Knows two texts.
"""

import unicodedata
from bisect import bisect_left
from typing import NamedTuple

from hornbook.retrieve.sentences import Span

_LEFT_OUT = frozenset(
    "-\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\x02\ufffe\u200b\u200c\ufeff"
)
"""Hyphens and dashes, which stand at the end of a line or do not, and what has no width."""
_RADICALS = (
    "⺎兀⺟母⺠民⺻聿⻄西⻅见⻆角⻋车⻑長⻓长⻔门⻘青⻚页⻛风"
    "⻜飞⻝食⻢马⻣骨⻤鬼⻥鱼⻦鸟⻩黄⻬齐⻮齿⻰龙"
)
"""Radicals that are no compatibility forms of the characters that they look like, before them."""
_SAME = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        "…": "...",
        **dict(zip(_RADICALS[::2], _RADICALS[1::2], strict=True)),
    }
)


class Plain(NamedTuple):
    """A text as it is compared. places: for each character the one of the text that it is from."""

    text: str
    places: list[int]

    def span(self, start: int, stop: int) -> Span:
        """The characters of the text that a stretch of one character or more is from."""
        return Span(self.places[start], self.places[stop - 1] + 1)

    def after(self, place: int) -> int:
        """How many characters are from before a place of the text."""
        return bisect_left(self.places, place)


def plain(text: str) -> Plain:
    """A text as it is compared with others."""
    found, places = list[str](), list[int]()
    for place, character in enumerate(text):
        if character.isspace() or character in _LEFT_OUT:
            continue
        same = character if character < "\x80" else _plain_of(character)
        for one in same:
            if not one.isspace() and one not in _LEFT_OUT:
                found.append(one)
                places.append(place)
    return Plain("".join(found), places)


def _plain_of(character: str) -> str:
    return unicodedata.normalize("NFKC", character.translate(_SAME)).translate(_SAME)


def find(text: Plain, wanted: str, near: int = 0) -> Span | None:
    """The characters of a text that say what is wanted, or None where it does not stand there.

    near: of several places, the one nearest to this character of the text.
    """
    if not (bare := plain(wanted).text):
        return None
    goal, best = text.after(near), None
    at = text.text.find(bare)
    while at >= 0:
        if best is None or abs(at - goal) < abs(best - goal):
            best = at
        at = text.text.find(bare, at + 1)
    return None if best is None else text.span(best, best + len(bare))
