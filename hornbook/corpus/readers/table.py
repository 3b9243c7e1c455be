"""CSV and TSV: a document a row, the text column found by name or by length.

Knows the csv module; knows nothing of files.
"""

import csv
import itertools
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import NotText, decode, newlines
from hornbook.corpus.readers.lines import LONGEST_LINE, Fault, Line, read_lines
from hornbook.corpus.readers.records import field_of

_AHEAD_ROWS, _AHEAD_BYTES = 100, 16 * 2**20
"""Looked at to find the text column when no column is named as one."""

_NAME = re.compile(r"[^\W\d][\w \-/()]{0,39}")
"""What a column's name looks like: a letter, then no sign that ends a sentence."""


def read_csv(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document a row; quoted fields may span lines (RFC 4180). Comma, semicolon or tab."""
    return _documents(csv_rows(stream, source), source, text_field)


def read_tsv(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document a line; quotes are characters like others (IANA's text/tab-separated-values)."""
    return _documents(tsv_rows(stream, source), source, text_field)


def csv_rows(stream: BinaryIO, source: str) -> "Iterator[Row | Rejection]":
    """The rows of a CSV file as they are, a header among them, and what broke between them."""
    lines = _Lines(stream, source)
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    return _rows(lines, csv.reader(itertools.chain([first], lines), delimiter=delimiter))


def tsv_rows(stream: BinaryIO, source: str) -> "Iterator[Row | Rejection]":
    """As `csv_rows`, of a TSV file."""
    lines = _Lines(stream, source)
    return _rows(lines, csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


class Row(NamedTuple):
    """line: where it begins. size: in bytes."""

    line: int
    cells: list[str]
    size: int


class _Lines:
    """Decoded lines; those that cannot be had are passed over and kept in `rejected`.

    size: bytes of all lines given. first: the number of the first line since it was last set to 0.
    """

    def __init__(self, stream: BinaryIO, source: str) -> None:
        csv.field_size_limit(LONGEST_LINE)
        self.source, self.rejected = source, list[Rejection]()
        self.size = self.first = 0
        self._lines = read_lines(stream)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for line in self._lines:
            try:
                text = "" if line.fault else decode(line.data)
            except NotText as error:
                line = line._replace(fault=Fault(error.reason, str(error)))
            if line.fault is None:
                self.size += line.size
                self.first = self.first or line.number
                return text
            self.rejected.append(line.rejection(self.source, line.fault))
        raise StopIteration


def _rows(lines: _Lines, rows: Iterator[list[str]]) -> Iterator[Row | Rejection]:
    """Rows that hold something, and what went wrong between them."""
    size = 0
    while True:
        error, row = None, None
        try:
            row = next(rows, None)
        except csv.Error as broken:
            error = str(broken)
        yield from lines.rejected
        lines.rejected.clear()
        taken, size = lines.size - size, lines.size
        first, lines.first = lines.first, 0
        if error is not None:
            yield Line(first, b"", taken).rejection(lines.source, Fault("broken row", error))
        elif row is None:
            return
        elif row:
            yield Row(first, row, taken)


def _documents(
    rows: Iterator[Row | Rejection], source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """The first row names the columns if it looks like names; other columns are metadata."""
    ahead = list(_look_ahead(rows))
    cells = [row.cells for row in ahead if isinstance(row, Row)]
    named = bool(cells) and is_header(cells[0])
    width = len(cells[0]) if cells else 0
    names = cells[0] if named else [f"column {i + 1}" for i in range(width)]
    column = text_column(names, cells[named:], text_field)
    if column is None and cells:
        yield Rejection(source, None, "no text field", f"found {', '.join(names)}")
        return
    for row in itertools.chain(ahead, rows):
        if isinstance(row, Rejection):
            yield row
        elif len(row.cells) != width:
            fault = Fault("broken row", f"{len(row.cells)} columns instead of {width}")
            yield Line(row.line, b"", row.size).rejection(source, fault)
        elif named:
            named = False
        else:
            yield _document(names, row.cells, column or 0, source)


def _look_ahead(rows: Iterator[Row | Rejection]) -> Iterator[Row | Rejection]:
    count = size = 0
    while count < _AHEAD_ROWS and size < _AHEAD_BYTES and (row := next(rows, None)) is not None:
        count, size = count + 1, size + (row.size if isinstance(row, Row) else 0)
        yield row


def _document(names: list[str], cells: list[str], column: int, source: str) -> Document:
    metadata = {
        name: cell for i, (name, cell) in enumerate(zip(names, cells, strict=True)) if i != column
    }
    if names[column] != "text":
        metadata["text_field"] = names[column]
    return Document("", newlines(cells[column]), source, metadata=metadata)


def is_header(cells: list[str]) -> bool:
    """Whether a first row looks like the names of columns."""
    names = [cell.strip() for cell in cells]
    if field_of(None, [name.lower() for name in names]):
        return True
    return len(set(names)) == len(names) and all(_NAME.fullmatch(name) for name in names)


def text_column(names: list[str], rows: list[list[str]], text_field: str | None) -> int | None:
    """The column asked for, or one named as text, or the one with the longest cells."""
    if text_field is not None:
        return names.index(text_field) if text_field in names else None
    lowered = [name.strip().lower() for name in names]
    if (name := field_of(None, lowered)) is not None:
        return lowered.index(name)
    whole = [row for row in rows if len(row) == len(names)]
    lengths = [sum(len(row[i]) for row in whole) for i in range(len(names))]
    return lengths.index(max(lengths)) if lengths else None
