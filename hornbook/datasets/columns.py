"""Columns of tables by their names: those that were asked for, usual ones, or the only one.

Also the texts of a file, whatever it is: a column of a table, or a text a line. Knows rows; knows
nothing of labels.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from hornbook.core.errors import UsageError, nearest
from hornbook.datasets.tables import FORMATS, read_rows, read_texts
from hornbook.read.documents import Rejection
from hornbook.read.formats.decode import newlines
from hornbook.read.formats.header import TEXT_NAMES, Naming
from hornbook.read.formats.table import Row
from hornbook.read.sources import format_of, name_of

AHEAD = 200
"""Rows looked at to find the columns where no name is a usual one."""


def names_in(*asked: str | None) -> list[str]:
    """The columns that were asked for; `a+b` may be one or two."""
    given = [name for name in asked if name]
    return [*given, *(part.strip() for name in given for part in name.split("+"))]


def find_asked(path: Path, wanted: str, names: list[str]) -> str:
    """The names of the columns asked for, as the file writes them. Raises UsageError."""
    lowered = {name.lower(): name for name in reversed(names)}
    if wanted in names or wanted.lower() in lowered:
        return wanted if wanted in names else lowered[wanted.lower()]
    parts = wanted.split("+")
    if len(parts) > 1:
        return "+".join(find_asked(path, part.strip(), names) for part in parts)
    hint = nearest(wanted, names)
    every = "" if hint.startswith("Valid") else f" Its columns are {', '.join(names)}."
    raise UsageError(f"{path} has no column {wanted!r}. {hint}{every}")


def find_usual(usual: Sequence[str], names: list[str], taken: str | None) -> str | None:
    """The first of usual names that the file has and that is not `taken`, as the file writes it."""
    lowered = {n.lower(): n for n in reversed(names) if n.lower() != (taken or "").lower()}
    for name in usual:
        if all(part in lowered for part in name.split("+")):
            return "+".join(lowered[part] for part in name.split("+"))
    return None


def text_of(item: Row, column: str) -> str | None:
    """The text of a column, or of several joined by line breaks; None for what is no text."""
    whole = column in item.cells
    parts = [column] if whole or "+" not in column else column.split("+")
    texts = [item.cells.get(part) for part in parts]
    if any(not isinstance(text, str | None) for text in texts):
        return None
    return newlines("\n".join(text for text in texts if text))


def read_column(
    path: Path, column: str | None = None, usual: Sequence[str] = TEXT_NAMES
) -> Iterator[str | Rejection]:
    """The texts of one column, an empty one where a cell is; rows that have none are rejections.

    column: as in `read_labelled`; None for the `usual` names, or the only one. Raises UsageError
    for a file that is not there or of another kind, and for a column that is not there.
    """
    found = read_rows(path, Naming(names_in(column)))
    ahead = list(itertools.islice(found, AHEAD))
    rows = [item for item in ahead if isinstance(item, Row)]
    names = list(dict.fromkeys(itertools.chain.from_iterable(row.cells for row in rows)))
    if not names:
        raise UsageError(f"{path} holds no rows.")
    own = find_asked(path, column, names) if column else find_usual(usual, names, None)
    if own is None and len(names) > 1:
        raise UsageError(
            f"{path} has no column with a usual name for the text. Name it; the columns are "
            f"{', '.join(names)}."
        )
    for item in itertools.chain(ahead, found):
        text = text_of(item, own or names[0]) if isinstance(item, Row) else None
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
