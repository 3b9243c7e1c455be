"""The one door to the rows that people bring: CSV, TSV, JSON, JSON Lines, Parquet, packed or not.

The same table gives the same rows in each of them, whoever asks. Lines of plain text are read here
too. Rows are read in a guarded process, as documents are: one that takes too much time or memory,
or crashes its reader, costs itself.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from hornbook.core.errors import UsageError
from hornbook.core.guarded import Values
from hornbook.core.json_text import half_character
from hornbook.read.documents import Rejection
from hornbook.read.formats import parquet, records, table
from hornbook.read.formats.delimited import TextLine, lines_of
from hornbook.read.formats.header import BY_LOOKS, Naming
from hornbook.read.formats.lines import BROKEN, Fault, fault_of
from hornbook.read.formats.packed import unpack
from hornbook.read.formats.table import Row
from hornbook.read.locations import AnyPath
from hornbook.read.sources import format_of, name_of, path_at, read_guarded

JSON_LINES = (".jsonl", ".ndjson")
DELIMITED = (".csv", ".tsv")
TABLES = (*DELIMITED, ".parquet")
"""In which every row has the same columns."""
JSON = (*JSON_LINES, ".json")
FORMATS = (*DELIMITED, *JSON, ".parquet")
"""What holds rows, by suffix; each also as .gz or .zst."""


NOT_UNICODE = "not Unicode"
"""The reason of what holds half a surrogate pair: JSON can spell it, no file can hold it."""
_KINDS: dict[type, str] = {
    list: "a list",
    bool: "a truth value",
    int: "a number",
    float: "a number",
}
_Item = TypeVar("_Item")


def read_rows(path: AnyPath, naming: Naming = BY_LOOKS) -> Iterator[Row | Rejection]:
    """All rows of a file, and a rejection for each that is broken or cannot be stored.

    naming: of the columns of CSV and TSV. Raises UsageError for a file that is not there or holds
    no rows.
    """
    kind = _kind(path)
    if kind not in FORMATS:
        raise UsageError(
            f"{path} is no table: its name ends in {kind or 'nothing'!r}. "
            f"Read are {', '.join(FORMATS)}, each also as .gz or .zst."
        )

    asked, columns, usual, guess, header = naming
    plain = [sorted(asked), columns and list(columns), sorted(usual), guess, header]
    for item in _items(rows_of, path, plain):
        yield item if isinstance(item, Rejection) else Row(*item)


def read_as(
    path: AnyPath, make: Callable[[Row], _Item | Fault], naming: Naming = BY_LOOKS
) -> Iterator[_Item | Rejection]:
    """What is made of each row; one of which nothing can be made is a rejection, as a broken one.

    Raises UsageError as `read_rows` does.
    """
    for row in read_rows(path, naming):
        found = row if isinstance(row, Rejection) else make(row)
        if isinstance(found, Fault):
            assert isinstance(row, Row), "a rejection is no fault"
            yield row.rejection(name_of(path), found)
        else:
            yield found


def rows_of(place: str | dict[str, Any], naming: list[Any]) -> Iterator[Values]:
    """What `read_rows` gives, as plain data, for the process that is guarded."""
    path = path_at(place)
    kind = _kind(path)

    def read(stream: BinaryIO, name: str) -> Iterator[Row | Rejection]:
        if kind in DELIMITED:
            return table.table_rows(stream, name, kind == ".tsv", Naming(*naming))
        if kind == ".parquet":
            return parquet.parquet_rows(stream, name)
        return _objects(_values_here(path), name)

    return map(_plain, _guarded(path, read))


def read_values(path: AnyPath) -> Iterator[records.JsonRecord | Rejection]:
    """The values of a JSON or JSON Lines file, whatever they are, and what is broken of it."""
    _kind(path)
    for item in _items(values_of, path):
        yield item if isinstance(item, Rejection) else records.JsonRecord(*item)


def values_of(place: str | dict[str, Any]) -> Iterator[Values]:
    """What `read_values` gives, as plain data, for the process that is guarded."""
    return map(_plain, _values_here(path_at(place)))


def _values_here(path: AnyPath) -> Iterator[records.JsonRecord | Rejection]:
    is_lines, name = _kind(path) in JSON_LINES, name_of(path)
    reader = records.jsonl_records if is_lines else records.json_records
    for item in _guarded(path, reader):
        if isinstance(item, records.JsonRecord) and (problem := half_character(item.values)):
            yield Rejection(name, item.number, NOT_UNICODE, problem, item.size or 0)
        else:
            yield item


def _plain(item: Row | records.JsonRecord | Rejection) -> Values:
    """What goes through the pipe; without its size, a row goes as text, which has one."""
    if isinstance(item, Rejection):
        return [item.file, item.line, item.reason, item.detail, item.size], ""
    number, value, size = item
    if size is None:
        return [number], json.dumps(value, default=str)
    return [number, value, size], "", size


def _items(
    work: Callable[..., Iterator[Values]], path: AnyPath, *arguments: Any
) -> Iterator[tuple[int, Any, int | None] | Rejection]:
    for item in read_guarded(work, path, *arguments):
        if isinstance(item, Rejection):
            yield item
        elif item[1]:
            yield item[0][0], json.loads(item[1]), None
        else:
            yield tuple(item[0]) if len(item[0]) == 3 else Rejection(*item[0])


def read_texts(path: AnyPath) -> Iterator[TextLine]:
    """The lines of a text file, plain or packed, without their ends, the blank ones too.

    A line ends at \\n or \\r\\n and nowhere else. `fault` says which cannot be used. Raises
    UsageError for a file that is not there.
    """
    _kind(path)
    try:
        with path.open("rb") as raw:
            yield from iter(lines_of(unpack(raw, path.suffix.lower())).take, None)
    except BROKEN as error:
        yield TextLine(0, "", 0, fault_of(error))


def _kind(path: AnyPath) -> str:
    if isinstance(path, Path) and not path.is_file():
        raise UsageError(f"{path} does not exist or is no file.")
    return format_of(path)


def _guarded(
    path: AnyPath, read: Callable[[BinaryIO, str], Iterator[_Item | Rejection]]
) -> Iterator[_Item | Rejection]:
    name = name_of(path)
    try:
        with path.open("rb") as raw:
            yield from read(unpack(raw, path.suffix.lower()), name)
    except BROKEN as error:
        yield Rejection(name, None, *fault_of(error))


def _objects(
    items: Iterator[records.JsonRecord | Rejection], source: str
) -> Iterator[Row | Rejection]:
    """Objects are rows, and so are texts alone."""
    for item in items:
        if isinstance(item, Rejection):
            yield item
        elif isinstance(item.values, dict):
            yield Row(*item)
        elif isinstance(item.values, str):
            yield Row(item.number, {"text": item.values}, item.size)
        else:
            kind = _KINDS.get(type(item.values), "nothing")
            yield item.rejection(source, Fault("no row", f"{kind} instead of an object"))
