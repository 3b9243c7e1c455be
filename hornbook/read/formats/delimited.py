"""Records of delimited text: physical lines in, cells out, whatever is quoted how.

The `csv` module is not used: it takes a quote that is never closed for the rest of the file, loses
the quotes of `"Never" again`, and counts no physical lines.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from typing import BinaryIO, NamedTuple

from hornbook.core.guarded import step
from hornbook.read.documents import Rejection
from hornbook.read.formats.decode import NotText, decode
from hornbook.read.formats.lines import LONGEST_LINE, Fault, Line, LineBlock, read_blocks

_LINES_IN_A_CELL = 10
"""If so many lines of a cell, or more, are each a whole row, a quote was not closed before them."""


class Dialect(NamedTuple):
    r"""How a file separates and quotes. delimiter: None for one column. quotes: of cells that hold
    delimiters or line breaks. escapes: `\"` is a quote inside a quoted cell, as `""` always is.
    """

    delimiter: str | None
    quotes: bool = True
    escapes: bool = False


class TextLine(NamedTuple):
    """A physical line without its end. fault: why it is not what the file says."""

    number: int
    text: str
    size: int
    fault: Fault | None = None


class DelimitedRow(NamedTuple):
    """line: where it begins. size: bytes. untidy: a cell begins with quotes that do not quote it.

    needed: some cell had to be quoted. quoted: how many cells were.
    """

    line: int
    cells: list[str]
    size: int
    untidy: bool = False
    needed: bool = False
    quoted: int = 0


class _Unclosed(Exception):
    pass


class Lines:
    """Physical lines, of which some can be looked at and put back."""

    def __init__(self, texts: Iterable[TextLine] = (), blocks: Iterable[LineBlock] = ()) -> None:
        self._waiting, self._blocks = deque(texts), iter(blocks)
        self._number, self._at = 1, 0
        self._texts, self._sizes = list[str](), list[int]()

    def take(self) -> TextLine | None:
        """The next one."""
        if not self._waiting and (self._at < len(self._texts) or self._fill()):
            self._at += 1
            place = self._at - 1
            return TextLine(self._number + place, self._texts[place], self._sizes[place])
        return self._waiting.popleft() if self._waiting else None

    def put_back(self, texts: list[TextLine]) -> None:
        """They come next, in their order."""
        self._waiting.extendleft(reversed(texts))

    def ahead(self, count: int, size: int) -> list[TextLine]:
        """So many of the next lines, or fewer where they are long; they stay the next."""
        found: list[TextLine] = []
        while len(found) < count and size > 0 and (text := self.take()) is not None:
            found.append(text)
            size -= text.size
        self.put_back(found)
        return found

    def whole(self) -> Iterator[tuple[int, str, int]]:
        """Number, text and size of the next lines, until one was put back or has a fault."""
        while not self._waiting and (self._at < len(self._texts) or self._fill()):
            for place in range(self._at, len(self._texts)):
                self._at = place + 1
                yield self._number + place, self._texts[place], self._sizes[place]

    def put_back_last(self) -> None:
        """The last line of `whole` comes next."""
        self._at -= 1

    def _fill(self) -> bool:
        """Decode the next block. Where one line may differ from the others, all of them wait."""
        for block in self._blocks:
            fault = block.fault or step(block.size)
            data = block.data.replace(b"\r\n", b"\n")
            try:
                texts = data.removesuffix(b"\n").decode("utf-8").split("\n")
            except UnicodeDecodeError:
                texts = []
            if fault or not texts or b"\r" in data or b"\0" in data:
                self._waiting.extend(_text(line, fault) for line in block.lines())
                return False
            sizes = [len(line) + 1 for line in block.data.removesuffix(b"\n").split(b"\n")]
            sizes[-1] -= not block.data.endswith(b"\n")
            self._number, self._at, self._texts, self._sizes = block.first, 0, texts, sizes
            return True
        return False


def _text(line: Line, fault: Fault | None) -> TextLine:
    """A decoded line; one that cannot be decoded keeps what can be told of its quotes."""
    if fault := fault or line.fault:
        return TextLine(line.number, "", line.size, fault)
    try:
        return TextLine(line.number, decode(line.data).removesuffix("\n"), line.size)
    except NotText as error:
        text = line.data.decode("utf-8", "replace").rstrip("\r\n")
        return TextLine(line.number, text, line.size, Fault(error.reason, str(error)))


def lines_of(stream: BinaryIO) -> Lines:
    """The lines of a seekable stream."""
    return Lines(blocks=read_blocks(stream))


def records(lines: Lines, dialect: Dialect, source: str) -> Iterator[DelimitedRow | Rejection]:
    """The records, empty lines passed over; one that is broken costs its first line."""
    width = 0
    while True:
        for number, text, size in lines.whole():
            if (cells := _cells(text, dialect)) is None:
                lines.put_back_last()
                break
            if len(cells) > 1 or text.strip(" "):
                width = width or len(cells)
                yield DelimitedRow(number, cells, size)
        if (first := lines.take()) is None:
            return
        if not first.text.strip(" ") and not first.fault:
            continue
        taken = [first]
        try:
            record = _Reader(lines, dialect, taken).record()
            if len(taken) > _LINES_IN_A_CELL and _all_rows(taken[1:], dialect, width):
                raise _Unclosed
        except _Unclosed:
            lines.put_back(taken[1:])
            detail = "a quote that is not closed"
            yield Rejection(source, first.number, "broken row", detail, first.size)
            continue
        size = sum(text.size for text in taken)
        broken = next((text for text in taken if text.fault), None)
        if broken is not None and broken.fault is not None:
            yield Rejection(source, broken.number or None, *broken.fault, size)
        else:
            width = width or len(record.cells)
            yield record._replace(line=first.number, size=size)


def _cells(text: str, dialect: Dialect) -> list[str] | None:
    """The cells of a line on which nothing is odd; None for all others.

    Of what quotes set apart, every second piece is inside of them, and the others begin and end at
    delimiters, or are empty between two that stand for one.
    """
    mark = dialect.delimiter
    if '"' not in text or not dialect.quotes:
        return text.split(mark) if mark else [text]
    first, *pieces = text.split('"')
    if mark is None or len(pieces) % 2 or (dialect.escapes and "\\" in text):
        return None
    cells, inside = first.split(mark), ""
    if cells.pop():
        return None
    for place in range(0, len(pieces), 2):
        inside += pieces[place]
        outer, is_last = pieces[place + 1], place + 2 == len(pieces)
        if not outer and not is_last:
            inside += '"'
            continue
        plain = outer.split(mark)
        if plain[0] or (not is_last and plain.pop()):
            return None
        cells += [inside, *plain[1:]]
        inside = ""
    return cells


def _all_rows(inner: list[TextLine], dialect: Dialect, width: int) -> bool:
    mark = dialect.delimiter
    return mark is not None and width > 1 and all(t.text.count(mark) == width - 1 for t in inner)


class _Reader:
    """One record. taken: the lines it is on, to which those are added that its quotes need."""

    def __init__(self, lines: Lines, dialect: Dialect, taken: list[TextLine]) -> None:
        self._lines, self._dialect, self._taken = lines, dialect, taken
        self._text, self._place = taken[0].text, 0
        self._size = taken[0].size

    def record(self) -> DelimitedRow:
        """Raises _Unclosed."""
        mark, text = self._dialect.delimiter, self._text
        if not self._dialect.quotes or '"' not in text:
            return DelimitedRow(0, text.split(mark) if mark else [text], 0)
        cells: list[str] = []
        untidy = needed = False
        quoted = 0
        opening, _, closing = _patterns(self._dialect)
        more = True
        while more:
            opened = opening.match(self._text, self._place)
            inner = self._quoted(opened.end(), closing) if opened else None
            if inner is None:
                untidy = untidy or opened is not None
                cell, more = self._plain(mark)
            else:
                cell, more = inner
                quoted += 1
                needed = needed or '"' in cell or "\n" in cell or (mark or "\n") in cell
            cells.append(cell)
        return DelimitedRow(0, cells, 0, untidy, needed, quoted)

    def _plain(self, mark: str | None) -> tuple[str, bool]:
        """The cell up to the next delimiter, and whether there is one."""
        start = self._place
        stop = self._text.find(mark, start) if mark else -1
        if stop < 0:
            return self._text[start:], False
        self._place = stop + 1
        return self._text[start:stop], True

    def _quoted(self, place: int, closing: re.Pattern[str]) -> tuple[str, bool] | None:
        """A quoted cell and whether another follows; None for one that is only begun by a quote.

        Raises _Unclosed.
        """
        inside = _patterns(self._dialect)[1]
        parts: list[str] = []
        while True:
            found = inside.match(self._text, place)
            assert found is not None, "it matches nothing as well"
            parts.append(found.group())
            if found.end() < len(self._text):
                break
            self._next_line()
            parts.append("\n")
            place = 0
        closed = closing.match(self._text, found.end())
        if closed is None and len(parts) == 1:
            return None
        if closed is None:
            raise _Unclosed
        self._place = closed.end()
        return self._unescaped("".join(parts)), bool(closed[1])

    def _next_line(self) -> None:
        text = self._lines.take() if self._size < LONGEST_LINE else None
        if text is None:
            raise _Unclosed
        self._taken.append(text)
        self._text, self._size = text.text, self._size + text.size

    def _unescaped(self, cell: str) -> str:
        if self._dialect.escapes:
            return _ESCAPED.sub(lambda found: found[1] or '"', cell)
        return cell.replace('""', '"')


_ESCAPED = re.compile(r'\\(["\\])|""')


@cache
def _patterns(dialect: Dialect) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """What opens a quoted cell, what stands inside, and what closes it: (1) is the delimiter."""
    mark = dialect.delimiter
    blanks = "[ ]*" if mark == "\t" else "[ \t]*"
    inside = r'[^"\\]*(?:(?:""|\\.|\\\Z)[^"\\]*)*' if dialect.escapes else r'[^"]*(?:""[^"]*)*'
    end = rf"({re.escape(mark)})|\Z" if mark else r"()\Z"
    return (
        re.compile(f'{blanks}"'),
        re.compile(inside, re.DOTALL),
        re.compile(f'"{blanks}(?:{end})'),
    )
