"""Columns of tables: what a cell says as text, and which column holds what.

A column is the one that was asked for, one of a usual name, or the only one. Labelled texts, pairs,
conversations and texts alone all ask here, so that a cell means the same to each of them, whatever
format it comes from.
"""

import contextlib
import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError, nearest
from hornbook.core.json_text import NotJson, parse_record
from hornbook.datasets.tables import FORMATS, read_rows, read_texts
from hornbook.read.documents import Rejection
from hornbook.read.formats.decode import newlines
from hornbook.read.formats.header import TEXT_NAMES, Naming
from hornbook.read.formats.table import Row
from hornbook.read.sources import format_of, name_of

AHEAD = 200
"""Rows looked at to find the columns where no name is a usual one."""


def as_text(value: Any) -> str | None:
    """A cell as delimited text has it; None for lists and objects, which are no text.

    Nothing is an empty text, and so is what is no number; numbers are their digits.
    """
    if isinstance(value, str):
        return newlines(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return str(value) if isinstance(value, int | float) else None


def opened(value: Any) -> Any:
    """A cell's list or object, which stands in delimited text as JSON; else the cell as it is."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        with contextlib.suppress(NotJson):
            return parse_record(value)
    return value


def spelled(name: str, names: Collection[str]) -> str | None:
    """A name as it stands among others, or else the first that differs from it in case only."""
    if name in names:
        return name
    return next((other for other in names if str(other).lower() == name.lower()), None)


def names_in(*asked: str | None) -> list[str]:
    """The columns that were asked for; `a+b` may be one or two."""
    given = [name for name in asked if name]
    return [*given, *(part.strip() for name in given for part in name.split("+"))]


def names_of(rows: Iterable[Row]) -> list[str]:
    """All names of the first rows, each once, in their order."""
    some = itertools.islice(rows, AHEAD)
    return list(dict.fromkeys(itertools.chain.from_iterable(row.cells for row in some)))


def find_column(
    path: Path, asked: str | None, usual: Sequence[str], names: list[str], taken: str | None = None
) -> str | None:
    """The column as the file writes it: the one asked for, or the first usual one not `taken`.

    `a+b` is two of them, whose texts belong together. None where none is usual. Raises UsageError
    for one that was asked for and is not there.
    """
    if asked:
        return _find_asked(path, asked, names)
    free = [name for name in names if name.lower() != (taken or "").lower()]
    for name in usual:
        parts = [spelled(part, free) for part in name.split("+")]
        if None not in parts:
            return "+".join(filter(None, parts))
    return None


def _find_asked(path: Path, wanted: str, names: list[str]) -> str:
    if (own := spelled(wanted, names)) is not None:
        return own
    parts = wanted.split("+")
    if len(parts) > 1:
        return "+".join(_find_asked(path, part.strip(), names) for part in parts)
    hint = nearest(wanted, names)
    every = "" if hint.startswith("Valid") else f" Its columns are {', '.join(names)}."
    raise UsageError(f"{path} has no column {wanted!r}. {hint}{every}")


def text_of(row: Row, column: str) -> str | None:
    """The text of a column, or of several joined by line breaks; None for what is no text."""
    if column in row.cells or "+" not in column:
        return as_text(row.cells.get(column))
    texts = [as_text(row.cells.get(part)) for part in column.split("+")]
    return None if None in texts else "\n".join(filter(None, texts))


def read_column(
    path: Path, column: str | None = None, usual: Sequence[str] = TEXT_NAMES
) -> Iterator[str | Rejection]:
    """The texts of one column, an empty one where a cell is; rows that have none are rejections.

    column: as in `read_labelled`; None for the `usual` names, or the only one. Raises UsageError
    for a file that is not there or of another kind, and for a column that is not there.
    """
    found = read_rows(path, Naming(names_in(column)))
    ahead = list(itertools.islice(found, AHEAD))
    names = names_of(item for item in ahead if isinstance(item, Row))
    if not names:
        raise UsageError(f"{path} holds no rows.")
    own = find_column(path, column, usual, names)
    if own is None and len(names) > 1:
        raise UsageError(
            f"{path} has no column with a usual name for the text. Name it; the columns are "
            f"{', '.join(names)}."
        )
    own = own or names[0]
    for item in itertools.chain(ahead, found):
        text = text_of(item, own) if isinstance(item, Row) else None
        if text is not None:
            yield text
        elif isinstance(item, Row):
            yield Rejection(name_of(path), item.number, "no text", f"{own} is no text")
        else:
            yield item


def texts_of(
    path: Path, column: str | None, usual: Sequence[str] = TEXT_NAMES
) -> Iterator[str | Rejection]:
    """The texts of a file: a column of a table, of JSON Lines or Parquet; else a text a line.

    Raises UsageError for a file that is not there, a column that is not there, or one named for a
    file that has none; and naming the line that is no text: then hardly any of the file is.
    """
    if format_of(path) in FORMATS:
        yield from read_column(path, column, usual)
        return
    if column is not None:
        raise UsageError(
            f"{path} has no columns: a text a line. Columns have {', '.join(FORMATS)}."
        )
    for line in read_texts(path):
        if line.fault is not None:
            reason, detail = line.fault
            where = f"{path}, line {line.number}" if line.number else path
            raise UsageError(f"{where}: {reason} ({detail}).")
        yield line.text
