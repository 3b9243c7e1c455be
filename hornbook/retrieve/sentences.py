"""Where sentences begin and end: rules over the characters around a stop, no model.

Knows texts, and the tables of `abbreviations`; a border is never searched for in the text between
two quotation marks, since one may be missing.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hornbook.retrieve.abbreviations import ORDINALS, Abbreviations, abbreviations


class Span(NamedTuple):
    """Characters of a text, from `start` up to `end`."""

    start: int
    end: int


_CLOSERS = "\"'”’»›」』）)】》〉\\]}"
_WIDE = "。！？｡؟।॥።။។‼⁇"
_CANDIDATE = re.compile(f"[.!?…\n\f{_WIDE}]")
"""Where to look: one class of characters is searched for at ten times the speed of what follows."""
_STOP = re.compile(
    rf"(?P<wide>[{_WIDE}][!?{_WIDE}]*+[{_CLOSERS}]*+)(?!と|\s?って)"
    rf"|(?<![!?…])(?P<mark>[!?][.!?…]*+|…++)[{_CLOSERS}]*+(?=\s|[\u3040-\u30ff\u3400-\u9fff]|\Z)"
    rf"|(?<!\.)(?P<dot>\.++)(?P<after>[{_CLOSERS}]*+)(?=\s|\Z)"
    rf"|(?P<joined>(?<=[a-zß-öø-ÿ\d)\]])\.(?=[A-ZÄÖÜ][a-zß-öø-ÿ]))"
    r"|(?P<break>\n[ \t\r]*\n\s*|\f\s*"
    r"|\n(?=[ \t]*(?:[-*•▪▫➢→✓–—·●○◦‣]\s|#+\s|\(?\w{1,3}[.)]\s|§)))"
    rf"|(?P<line>\n)"
)
"""Where a sentence may end: behind the stop and what closes with it."""

_DROW = re.compile(r"[^\s()\[\]{}\"“”„«»‹›,;:/–—]*")
_OPENERS = _CLOSERS + " \t\n([¿¡*#-"
_NEXT = re.compile(r"[\s\"'“”„«‹‘’(\[¿¡*]*")
_WORD_AFTER = re.compile(r"[^\W\d_]+")
_HEADING = re.compile(r"[ \t]*#{1,6}\s")
_ROW = re.compile(r"[ \t]*(?:\||[^\s|][^\t\n]*\t)")
"""A row of a table: cells apart by tabs, as readers give them, or by bars, as Markdown does."""
_NAME = re.compile(r"(?=[\w-]*[A-Z\d])[a-z][\w-]*")
"""A word that begins small wherever it stands: mRNA, hrde-1."""
_ROMAN = re.compile(r"[ivxlc]+")
_UNITS = ("/", "°")
"""Before a letter that is a unit."""
_BEFORE = 40
"""Characters before a full stop in which its word is looked for."""


def sentences(text: str, language: str = "en") -> list[Span]:
    """The sentences of a text in order, without the white space around them.

    language: ISO 639-1, "" for unknown. Every character but white space is in one of them.
    Headings, items of lists, rows of tables and paragraphs end a sentence with or without a stop.
    """
    rules = _Rules(text, language)
    found: list[Span] = []
    start = 0
    for stop in rules.borders():
        _append(found, text, start, stop)
        start = stop
    _append(found, text, start, len(text))
    return found


def _append(found: list[Span], text: str, start: int, stop: int) -> None:
    piece = text[start:stop]
    bare = piece.strip()
    if bare:
        begin = start + len(piece) - len(piece.lstrip())
        found.append(Span(begin, begin + len(bare)))


def _drow(backwards: str) -> str:
    """The word that a text written backwards begins with."""
    found = _DROW.match(backwards)
    assert found is not None, "it may be empty"
    return found[0]


class _Rules:
    """What ends a sentence in one text."""

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        self.words: Abbreviations = abbreviations(language)
        self.ordinals = language in ORDINALS

    def borders(self) -> Iterator[int]:
        """Where sentences end."""
        start = done = 0
        for candidate in _CANDIDATE.finditer(self.text):
            if candidate.start() < done:
                continue
            found = _STOP.match(self.text, candidate.start())
            if found is None:
                continue
            done = found.end()
            if self._is_border(found, start):
                yield done
                start = done

    def _is_border(self, found: re.Match[str], start: int) -> bool:
        """Whether a sentence that began at `start` ends with a stop."""
        match found.lastgroup:
            case "mark":
                wide = found["mark"].startswith("…") and self.text[found.end() : found.end() + 1]
                return self._may_begin(found.end()) and not (wide and wide > "\u3000")
            case "after":
                return self._ends_at(found, start)
            case "line":
                return _HEADING.match(self.text, start) is not None or self._parts_rows(found)
            case _:
                return True

    def _parts_rows(self, found: re.Match[str]) -> bool:
        """Whether a line break has a row of a table before or behind it."""
        before = self.text.rfind("\n", 0, found.start()) + 1
        rows = (_ROW.match(self.text, before), _ROW.match(self.text, found.end()))
        return any(row is not None for row in rows)

    def _may_begin(self, place: int) -> bool:
        """Whether a sentence may begin at `place`: no small letter, nothing that goes on."""
        at = self._next(place)
        following = self.text[at : at + 1]
        if following.islower():
            return _NAME.match(self.text, at) is not None
        return not following or following not in ",;:.)]–—&=<>+±×%"

    def _next(self, place: int) -> int:
        """Behind the white space and what opens."""
        found = _NEXT.match(self.text, place)
        assert found is not None, "it may be empty"
        return found.end()

    def _ends_at(self, found: re.Match[str], start: int) -> bool:
        """Whether a full stop ends a sentence that began at `start` or later."""
        dot = found.start("dot")
        if not self._may_begin(found.end()):
            return False
        if len(found["dot"]) > 1 or found["after"]:
            return True
        word = _drow(self.text[max(start, dot - _BEFORE) : dot][::-1])[::-1]
        if not word:
            return self.text[dot - 2 : dot] != ". "  # dots that lead the eye to a number
        return self._word_ends(word, dot - len(word), start, self._next(found.end()))

    def _word_ends(self, word: str, at: int, start: int, following: int) -> bool:
        """Whether a sentence ends with a word and its full stop, where another word follows."""
        low, after = word.lower(), _WORD_AFTER.match(self.text, following)
        starter = after is not None and after[0].lower() in self.words.starters
        first = at - start < _BEFORE and not self.text[start:at].strip(_OPENERS)
        if low in self.words.ends:
            return starter
        if low in self.words.inside and not (len(word) > 1 and word.isupper()):
            return self._letter_ends(word, at, starter)
        if low.isdecimal() or (_ROMAN.fullmatch(low) and len(low) > 1):
            return self._number_ends(low, first, starter)
        if "." in low and all(part.isalpha() and len(part) <= 2 for part in low.split(".")):
            return starter
        return True

    def _number_ends(self, number: str, first: bool, starter: bool) -> bool:
        """Of "1." before an item of a list, "the 3." of an ordinal, and the end of "in 1990."."""
        if first and len(number) <= 4:
            return False
        return starter or not (self.ordinals and len(number) <= 2) or not number.isdecimal()

    def _letter_ends(self, word: str, at: int, starter: bool) -> bool:
        """Of "vitamin C." at an end, which is neither the "J." of a name nor of a list."""
        if len(word) > 1 or not starter:
            return len(word) == 1 and self.text[at - 1 : at] in _UNITS
        if self.text[max(0, at - 2) : at - 1] != ".":
            return True
        return self.text[at - 3] + "." + word.lower() in self.words.ends  # o. B.
