"""The order in which a page of columns is read, where its file has them row by row.

A library gives the characters of a page about as the file draws them, so that two columns drawn
together come out as one, line by line. Where pieces of text alternate between columns, they are put
in order here: a column after the other, between whatever goes over all of them. Tables are left as
they are: their cells do not fill their columns as lines of text do. Knows places of characters.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from hornbook.read.formats.hyphens import MARK

_SAMPLE = 6
"""Lines, the longest, that are looked at to see whether there may be columns at all."""
_GAP = 1.0
"""Heights of a line that part two columns at least; words of a line are nearer."""
_ROWS = 4
"""Rows that alternate between the same two columns at least."""
_WIDTH, _FULL = 8.0, 0.75
"""Of a column of text the width of most lines: in heights, and as a share of the column's."""
_HYPHEN = f"\x02{MARK}"
"""What the library has for a hyphen at the end of a line, after which the next one goes on."""
_DENSE = "\u2e80"
"""Where scripts begin that can be written from top to bottom."""
_LINE = re.compile(rf"[^\r\n{_HYPHEN}]+[{_HYPHEN}]?")
_WORD = re.compile(r"\S+")


Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in points of the page as it lies in the file."""


class PagePiece(NamedTuple):
    """A stretch of a line: characters of the page from `start` up to `stop`, and where they stand
    on the page as it is seen."""

    start: int
    stop: int
    left: float
    bottom: float
    right: float
    top: float

    @property
    def height(self) -> float:
        return self.top - self.bottom


def characters(textpage: Any, text: str) -> str:
    """What a page says, a character for each that has a place on it. text: as the library gives it,
    which is the same but for rare characters."""
    import pypdfium2.raw as raw

    count = textpage.count_chars()
    if len(text) == count:
        return text
    codes = (raw.FPDFText_GetUnicode(textpage, i) for i in range(count))
    return "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)


def in_columns(textpage: Any, text: str, turned: int) -> list[PagePiece] | None:
    """The pieces of a page in the order in which they are read; None where the file has it.

    text: its characters. turned: by how many degrees the page is shown turned.
    """
    page = _Page(textpage, text, turned)
    lines = [page.piece(*line.span()) for line in _LINE.finditer(text) if line[0].strip()]
    if _is_vertical(text, lines):
        return sorted(lines, key=lambda one: -one.right)
    longest = sorted(lines, key=lambda one: one.start - one.stop)[:_SAMPLE]
    if not _gaps(lines) and all(len(list(page.parts(line))) == 1 for line in longest):
        return None
    pieces = [one for line in lines for one in page.parts(line)]
    gutters = _gutters(_gaps(pieces))
    return _ordered(pieces, gutters) if gutters else None


def read_together(text: str, pieces: Sequence[PagePiece]) -> str:
    """What pieces say one after the other, with marks where a word goes on behind a hyphen."""
    found = ""
    for one in pieces:
        line = text[one.start : one.stop].strip()
        if found[-1:] and found[-1] in _HYPHEN:
            found += line
        elif found[-2:-1].isalpha() and found.endswith("-") and line[:1].islower():
            found = found[:-1] + MARK + line
        else:
            found += f"\n{line}" if found else line
    return found


class _Page:
    """A page whose characters can be asked where they stand."""

    def __init__(self, textpage: Any, text: str, turned: int) -> None:
        import ctypes

        import pypdfium2.raw as raw

        self._text = text
        box = raw.FS_RECTF()
        ask, into = raw.FPDFText_GetLooseCharBox, ctypes.byref(box)

        def place(i: int) -> Box:
            if not ask(textpage, i, into):
                return 0.0, 0.0, 0.0, 0.0
            return turned_box((box.left, box.bottom, box.right, box.top), turned)

        self._place = place

    def piece(self, start: int, stop: int) -> PagePiece:
        """Characters that follow one another, as their first and their last one stand."""
        first, last = self._place(start), self._place(stop - 1)
        low, high = map(min, first[:2], last[:2]), map(max, first[2:], last[2:])
        return PagePiece(start, stop, *low, *high)

    def parts(self, line: PagePiece) -> Iterator[PagePiece]:
        """A line in pieces: its words, those that are near one another together."""
        last: PagePiece | None = None
        for word in _WORD.finditer(self._text, line.start, line.stop):
            one = self.piece(*word.span())
            if last is not None:
                tall = max(one.height, last.height)
                if -tall < one.left - last.right < _GAP * tall:
                    one = _both(last, one)
                else:
                    yield last
            last = one
        if last is not None:
            yield last


def _both(one: PagePiece, other: PagePiece) -> PagePiece:
    return PagePiece(
        one.start, other.stop,
        min(one.left, other.left), min(one.bottom, other.bottom),
        max(one.right, other.right), max(one.top, other.top),
    )  # fmt: skip


def turned_box(box: Box, turned: int) -> Box:
    """A box as it stands on the page when that is shown turned to the right by so many degrees."""
    left, bottom, right, top = box
    if turned == 90:
        return bottom, -right, top, -left
    if turned == 180:
        return -right, -top, -left, -bottom
    if turned == 270:
        return -top, left, -bottom, right
    return box


def _is_vertical(text: str, lines: Sequence[PagePiece]) -> bool:
    """Whether lines of Chinese or Japanese run from top to bottom, side by side: a library has them
    from left to right, and they are read from right to left."""
    long = [one for one in lines if one.stop - one.start > 2]
    return (
        bool(long)
        and min(one.top for one in long) > max(one.bottom for one in long)
        and all(
            one.height > 2 * (one.right - one.left) and text[one.start] >= _DENSE for one in long
        )
    )


def _gaps(pieces: Sequence[PagePiece]) -> list[tuple[float, float]]:
    """Between neighbours in the file that stand side by side, about as high."""
    found = []
    for one, other in pairwise(pieces):
        left, right = sorted((one, other), key=lambda piece: piece.left)
        wide = right.left - left.right >= _GAP * max(one.height, other.height)
        apart = abs(one.top + one.bottom - other.top - other.bottom)
        if wide and apart < one.height + other.height:
            found.append((left.right, right.left))
    return found


def _gutters(gaps: list[tuple[float, float]]) -> list[float]:
    """Where most gaps are one above the other, from left to right."""
    found = list[float]()
    while len(gaps) >= _ROWS:
        best = max((_over(gaps, (start + stop) / 2), start + stop) for start, stop in gaps)
        place = best[1] / 2
        if best[0] < _ROWS:
            break
        found.append(place)
        gaps = [(start, stop) for start, stop in gaps if not start < place < stop]
    return sorted(found)


def _over(gaps: Sequence[tuple[float, float]], place: float) -> int:
    return sum(start < place < stop for start, stop in gaps)


def _ordered(pieces: Sequence[PagePiece], gutters: Sequence[float]) -> list[PagePiece] | None:
    """Between pieces that go over a gutter, a column after the other. None where it is a table."""
    bands: list[list[list[PagePiece]]] = []
    order: list[list[list[PagePiece]] | PagePiece] = []
    band: list[list[PagePiece]] | None = None
    for one in pieces:
        if any(one.left < place < one.right for place in gutters):
            order.append(one)
            band = None
            continue
        if band is None:
            band = [[] for _ in range(len(gutters) + 1)]
            bands.append(band)
            order.append(band)
        band[sum(place <= one.left for place in gutters)].append(one)
    columns = [[one for band in bands for one in band[i]] for i in range(len(gutters) + 1)]
    if not all(map(_is_text, columns)):
        return None
    found = list[PagePiece]()
    for part in order:
        found += [one for column in part for one in column] if isinstance(part, list) else [part]
    return found


def _is_text(column: Sequence[PagePiece]) -> bool:
    """Whether most lines of a column are wide, and fill it."""
    if len(column) < _ROWS:
        return False
    whole = max(one.right for one in column) - min(one.left for one in column)
    usual = median(one.right - one.left for one in column)
    height = median(one.height for one in column)
    return usual >= _WIDTH * height and usual >= _FULL * whole
