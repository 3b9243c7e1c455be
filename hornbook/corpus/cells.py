"""The rows of a table, JSON Lines, a JSON list or Parquet, each as cells by the names of columns.

A table without a header has columns named "column 1" and so on. Knows formats; knows nothing of
what the columns mean.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from hornbook.core.errors import UsageError
from hornbook.corpus.documents import Rejection
from hornbook.corpus.read import format_of, name_of
from hornbook.corpus.readers import parquet, records, table
from hornbook.corpus.readers.lines import BROKEN, fault_of
from hornbook.corpus.readers.packed import unpack

_AHEAD = 200
"""Rows looked at to see whether the first is a header."""


class Cells(NamedTuple):
    """A row's cells by the names of their columns. number: its line, item or row, from 1."""

    number: int
    cells: dict[str, Any]


def read_cells(path: Path, usual: Sequence[str] = ()) -> Iterator[Cells | Rejection]:
    """All rows of the file, and a rejection for each that is broken.

    usual: names of columns in small letters, one of which in the first row of a table tells that it
    is a header. Raises UsageError for a file that is not there or of another kind.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is no file.")
    kind = format_of(path)
    if kind not in FORMATS:
        raise UsageError(
            f"{path} is no table: its name ends in {kind or 'nothing'!r}. "
            f"Read are {', '.join(FORMATS)}, each also as .gz or .zst."
        )
    return _read(path, kind, usual)


def _read(path: Path, kind: str, usual: Sequence[str]) -> Iterator[Cells | Rejection]:
    name = name_of(path)
    try:
        with path.open("rb") as raw:
            stream = unpack(raw, path.suffix.lower())
            if kind in _TABLES:
                yield from _table(_TABLES[kind](stream, name), name, usual)
            elif kind == ".parquet":
                for item in parquet.parquet_rows(stream, name):
                    yield item if isinstance(item, Rejection) else Cells(*item)
            else:
                yield from _objects(_RECORDS[kind](stream, name), name)
    except BROKEN as error:
        yield Rejection(name, None, *fault_of(error))


_TABLES: dict[str, Callable[[BinaryIO, str], Iterator[table.Row | Rejection]]] = {
    ".csv": table.csv_rows,
    ".tsv": table.tsv_rows,
}
_RECORDS: dict[str, Callable[[BinaryIO, str], Iterator[records.Record | Rejection]]] = {
    ".jsonl": records.jsonl_records,
    ".ndjson": records.jsonl_records,
    ".json": records.json_records,
}
FORMATS = (*_TABLES, *_RECORDS, ".parquet")


def _objects(
    items: Iterator[records.Record | Rejection], source: str
) -> Iterator[Cells | Rejection]:
    for item in items:
        if isinstance(item, Rejection):
            yield item
        elif isinstance(item.values, dict):
            yield Cells(item.number, item.values)
        else:
            kind = type(item.values).__name__
            yield Rejection(source, item.number, "no row", f"a {kind} instead of an object")


def _table(
    rows: Iterator[table.Row | Rejection], source: str, usual: Sequence[str]
) -> Iterator[Cells | Rejection]:
    ahead = list(itertools.islice(rows, _AHEAD))
    cells = [row.cells for row in ahead if isinstance(row, table.Row)]
    named = _is_header(cells, usual)
    width = len(cells[0]) if cells else 0
    numbered = [f"column {i + 1}" for i in range(width)]
    names = [cell.strip() or numbered[i] for i, cell in enumerate(cells[0])] if named else []
    for row in itertools.chain(ahead, rows):
        if isinstance(row, Rejection):
            yield row
        elif len(row.cells) != width:
            detail = f"{len(row.cells)} columns instead of {width}"
            yield Rejection(source, row.line, "broken row", detail, row.size)
        elif named:
            named = False
        else:
            yield Cells(row.line, dict(zip(names or numbered, row.cells, strict=True)))


def _is_header(rows: list[list[str]], usual: Sequence[str]) -> bool:
    """Whether the first row names the columns.

    One usual name is enough. Otherwise all its cells must look like names, and none may occur again
    below: the first label of a table without a header does.
    """
    if not rows:
        return False
    lowered = [cell.strip().lower() for cell in rows[0]]
    if any(name in lowered for name in usual):
        return True
    below = {cell.strip().lower() for row in rows[1:] for cell in row}
    return table.is_header(rows[0]) and not below.intersection(lowered)
