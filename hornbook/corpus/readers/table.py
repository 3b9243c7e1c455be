"""CSV and TSV: a document a row, the text column found by name or by length.

Knows the csv module; knows nothing of files.
"""

import csv
import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.lines import LONGEST_LINE, read_lines
from hornbook.corpus.readers.records import TEXT_FIELDS

_LOOK_AHEAD = 100
"""Rows looked at to find the text column when no column is named as one."""


def read_csv(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """The first row names the columns. Other columns go to the metadata; bad rows cost themselves.

    Rows are read line by line: a quoted field may span lines.
    """
    csv.field_size_limit(LONGEST_LINE)
    rejected: list[Rejection] = []
    lines = _lines(stream, source, rejected)
    first = next(lines, "")
    delimiter = max(("\t", ";", ","), key=first.count)
    rows = csv.reader(itertools.chain([first], lines), delimiter=delimiter)
    header = next(rows, [])
    ahead = list(_rows(rows, source, rejected, len(header), limit=_LOOK_AHEAD))
    column = _text_column(header, ahead)
    for row in itertools.chain(ahead, _rows(rows, source, rejected, len(header))):
        yield from _drain(rejected)
        metadata = {k: v for i, (k, v) in enumerate(zip(header, row, strict=True)) if i != column}
        yield Document("", row[column], source, metadata=metadata)
    yield from _drain(rejected)


def _rows(
    rows: Any,
    source: str,
    rejected: list[Rejection],
    width: int,
    limit: int | None = None,
) -> Iterator[list[str]]:
    count = 0
    while limit is None or count < limit:
        count += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            rejected.append(Rejection(source, rows.line_num, "broken row", str(error)))
            continue
        if len(row) == width:
            yield row
        elif row:
            detail = f"{len(row)} columns instead of {width}"
            size = len(",".join(row).encode())
            rejected.append(Rejection(source, rows.line_num, "broken row", detail, size))


def _lines(stream: BinaryIO, source: str, rejected: list[Rejection]) -> Iterator[str]:
    for line in read_lines(stream):
        try:
            if not line.data:
                raise ValueError(f"{line.size:,} bytes")
            yield line.data.decode("utf-8-sig" if line.number == 1 else "utf-8")
        except ValueError as error:
            reason = "not UTF-8" if line.data else "line too long"
            rejected.append(Rejection(source, line.number, reason, str(error), line.size))


def _text_column(header: list[str], rows: list[list[str]]) -> int:
    """A column named as text, else the one with the longest fields."""
    names = [name.strip().lower() for name in header]
    for name in TEXT_FIELDS:
        if name in names:
            return names.index(name)
    lengths = [sum(len(row[i]) for row in rows) for i in range(len(header))]
    return lengths.index(max(lengths)) if lengths else 0


def _drain(rejected: list[Rejection]) -> Iterator[Rejection]:
    while rejected:
        yield rejected.pop(0)
