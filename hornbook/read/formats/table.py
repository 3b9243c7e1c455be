"""CSV and TSV: rows with the names of their columns, or a document each.

The text column of documents is found by name or by length.
"""

import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.delimited import DelimitedRow, lines_of, records
from hornbook.read.formats.dialect import dialect_of, table_width, take_sep_line
from hornbook.read.formats.header import BY_LOOKS, Naming, column_names, numbered, twice
from hornbook.read.formats.lines import Fault
from hornbook.read.formats.records import document_of, field_of
from hornbook.read.formats.register import reads_records

_AHEAD_ROWS, _AHEAD_BYTES = 200, 16 * 2**20
"""Looked at to find the header, and the text column when no column is named as one."""


class Row(NamedTuple):
    """A row's cells by the names of their columns. number: its line, item or row, from 1.

    size: bytes, None where they are not counted.
    """

    number: int
    cells: dict[str, Any]
    size: int | None = None

    def rejection(self, source: str, fault: Fault) -> Rejection:
        """The row that could not be used."""
        size = len(str(self.cells)) if self.size is None else self.size
        return Rejection(source, self.number, *fault, size)


@reads_records(".csv")
def read_csv(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document a row; quoted fields may span lines (RFC 4180)."""
    return _documents(stream, source, text_field, is_tsv=False)


@reads_records(".tsv")
def read_tsv(
    stream: BinaryIO, source: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """A document a line; quotes are characters like others unless the file needs them."""
    return _documents(stream, source, text_field, is_tsv=True)


def table_rows(
    stream: BinaryIO, source: str, is_tsv: bool, naming: Naming = BY_LOOKS
) -> Iterator[Row | Rejection]:
    """The rows below the header, and what broke between them, with its line.

    A column without a name is called by its place, "column 3".
    """
    lines = lines_of(stream)
    mark = take_sep_line(lines)
    rows = records(lines, dialect_of(lines, mark, is_tsv, naming.known()), source)
    ahead = list(_look_ahead(rows))
    whole = [row for row in ahead if isinstance(row, DelimitedRow)]
    if not whole:
        yield from (item for item in ahead if isinstance(item, Rejection))
        return
    width = len(naming.columns) if naming.columns else table_width(whole)
    first = _top(whole, width, naming)
    named = naming.is_header([row.cells for row in whole[first:]])
    header = list(naming.columns or column_names(whole[first].cells, named))
    if problem := twice(header):
        yield Rejection(source, None, "two columns of one name", problem)
        return
    if named and len(whole) == len(ahead) == first + 1:
        detail = f"one row only, which names columns: {', '.join(header)}"
        yield Rejection(source, None, "no rows", detail)
        return
    top = whole[first] if named else None
    yield from _named(itertools.chain(ahead, rows), header, top, source)


def _top(rows: list[DelimitedRow], width: int, naming: Naming) -> int:
    """The place of the table's first row: below what is narrower, and comments above a header."""
    first = next((i for i, row in enumerate(rows) if len(row.cells) == width), 0)
    below = first
    while below < len(rows) and rows[below].cells[0].lstrip().startswith("#"):
        below += 1
    is_header = below < len(rows) and naming.is_header([row.cells for row in rows[below:]])
    return below if is_header else first


def _named(
    rows: Iterator[DelimitedRow | Rejection] | Any,
    header: list[str],
    top: DelimitedRow | None,
    source: str,
) -> Iterator[Row | Rejection]:
    """The rows but for the header, with names."""
    seen = top is None
    # Columns without a name below a header hold nothing where a row ends before them.
    least = (
        len(header)
        if top is None
        else 1
        + max((i for i, name in enumerate(header) if name != numbered(i)), default=len(header) - 1)
    )
    for row in rows:
        if seen and isinstance(row, DelimitedRow) and len(row.cells) == len(header):
            yield Row(row.line, dict(zip(header, row.cells, strict=True)), row.size)
        elif isinstance(row, Rejection):
            yield row
        elif row is top:
            seen = True
        elif isinstance(cells := _fitting(row.cells, header, least), Fault) or not seen:
            fault = cells if isinstance(cells, Fault) else Fault("broken row", "above the header")
            if not seen and row.cells[0].lstrip().startswith("#"):
                fault = Fault("comment", "above the header")
            yield Rejection(source, row.line, *fault, row.size)
        else:
            yield Row(row.line, dict(zip(header, cells, strict=True)), row.size)


def _fitting(cells: list[str], header: list[str], least: int) -> list[str] | Fault:
    """The cells, one for each name; empty ones may be too many, or left out from `least` on."""
    if len(cells) < least or any(cells[len(header) :]):
        return Fault("broken row", f"{len(cells)} columns instead of {len(header)}")
    return cells[: len(header)] + [""] * (len(header) - len(cells))


def _look_ahead(rows: Iterator[DelimitedRow | Rejection]) -> Iterator[DelimitedRow | Rejection]:
    count = size = 0
    while count < _AHEAD_ROWS and size < _AHEAD_BYTES and (row := next(rows, None)) is not None:
        count, size = count + 1, size + row.size
        yield row


def _documents(
    stream: BinaryIO, source: str, text_field: str | None, is_tsv: bool
) -> Iterator[Document | Rejection]:
    """Dolma's fields are honoured as in JSON Lines; other columns are metadata."""
    rows = table_rows(stream, source, is_tsv, Naming([text_field] if text_field else ()))
    ahead = list(_first_whole(rows))
    whole = [row for row in ahead if isinstance(row, Row)]
    names = list(whole[0].cells) if whole else []
    cells = [[str(cell) for cell in row.cells.values()] for row in whole]
    column = text_column(names, cells, text_field)
    if column is None and whole:
        yield Rejection(source, None, "no text field", f"found {', '.join(names)}")
        return
    for row in itertools.chain(ahead, rows):
        if isinstance(row, Rejection):
            yield row
        else:
            yield document_of(row.cells, names[column or 0], source)


def _first_whole(rows: Iterator[Row | Rejection]) -> Iterator[Row | Rejection]:
    """Up to the last of the first whole rows: however many are broken before them."""
    whole = 0
    while whole < _AHEAD_ROWS and (row := next(rows, None)) is not None:
        whole += isinstance(row, Row)
        yield row


def text_column(names: list[str], rows: list[list[str]], text_field: str | None) -> int | None:
    """The column asked for, or one named as text, or the one with the longest cells."""
    lowered = [name.strip().lower() for name in names]
    if text_field is not None:
        if text_field in names:
            return names.index(text_field)
        return lowered.index(text_field.lower()) if text_field.lower() in lowered else None
    if (name := field_of(None, lowered)) is not None:
        return lowered.index(name)
    whole = [row for row in rows if len(row) == len(names)]
    lengths = [sum(len(row[i]) for row in whole) for i in range(len(names))]
    return lengths.index(max(lengths)) if lengths else None
