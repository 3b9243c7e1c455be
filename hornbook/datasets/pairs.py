"""Pairs of a text and its translation: two aligned files, or a table of any format.

A pair that cannot be had costs itself and is named by file and line.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError, UsageError
from hornbook.datasets.columns import as_text, opened, spelled
from hornbook.datasets.tables import FORMATS, TABLES, read_as, read_texts
from hornbook.read.documents import Rejection
from hornbook.read.formats.delimited import TextLine
from hornbook.read.formats.header import PAIR_NAMES, Naming, numbered
from hornbook.read.formats.lines import Fault
from hornbook.read.formats.table import Row
from hornbook.read.sources import format_of, name_of


class Pair(NamedTuple):
    """A text and its translation, without line breaks around them."""

    source: str
    target: str


Columns = tuple[str, str]
NO_PAIR = "no pair"
"""The reason of a row that has no such columns."""


def read_pairs(
    files: Sequence[Path],
    columns: Columns | None = None,
    usual: Sequence[Columns] = PAIR_NAMES,
) -> Iterator[Pair | Rejection]:
    """The pairs of one table, or of two aligned files, in their order.

    columns: what the table calls source and target; usual: where nobody says. Raises UsageError for
    another number of files, a missing one or unknown columns, HornbookError for aligned files of
    different lengths.
    """
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file} does not exist or is no file.")
    if len(files) == 2:
        if table := next((file for file in files if format_of(file) in FORMATS), None):
            raise UsageError(f"{table} is a table. Two aligned files hold a text a line.")
        return _aligned(*files)
    if len(files) != 1:
        raise UsageError(
            f"Pairs come in one file ({', '.join(FORMATS)}) or two aligned ones, not in "
            f"{len(files)}."
        )
    (file,) = files
    if format_of(file) in FORMATS:
        return _table(file, columns, usual)
    raise UsageError(
        f"{file} alone holds no pairs: it is none of {', '.join(FORMATS)}. Name two aligned files."
    )


def _aligned(source: Path, target: Path) -> Iterator[Pair | Rejection]:
    """Line n of one file translates line n of the other."""
    lines = itertools.zip_longest(read_texts(source), read_texts(target))
    for count, (one, other) in enumerate(lines):
        if one is None or other is None:
            shorter = source if one is None else target
            raise HornbookError(
                f"{source} and {target} are not aligned: {shorter} has only {count:,} lines."
            )
        sides: list[tuple[Path, TextLine]] = [(source, one), (target, other)]
        file, text = next((side for side in sides if side[1].fault), sides[0])
        pair = text.fault or pair_of(one.text, other.text)
        if isinstance(pair, Fault):
            yield Rejection(name_of(file), text.number or None, *pair, text.size)
        else:
            yield pair


def _table(
    file: Path, columns: Columns | None, usual: Sequence[Columns]
) -> Iterator[Pair | Rejection]:
    """A row a pair. Raises UsageError for a table whose columns hold none."""

    def make(row: Row) -> Pair | Fault:
        pair = pair_in(row.cells, columns, usual)
        if isinstance(pair, Fault) and pair.reason == NO_PAIR and format_of(file) in TABLES:
            raise UsageError(
                f"{file} has no columns {' and '.join(columns or usual[0])}; its first row is "
                f"{', '.join(list(row.cells)[:8])}."
            )
        return pair

    return read_as(file, make, naming_of(columns, [*itertools.chain.from_iterable(usual)]))


def naming_of(columns: Columns | None = None, usual: Sequence[str] = ()) -> Naming:
    """A table of pairs often has no header: what is no usual name is a text.

    usual: other names that the table may have.
    """
    names = [*itertools.chain.from_iterable(PAIR_NAMES), "translation", *usual]
    return Naming(columns or (), usual=names, guess=False)


def pair_in(
    cells: Mapping[str, Any],
    columns: Columns | None = None,
    usual: Sequence[Columns] = PAIR_NAMES,
) -> Pair | Fault:
    """A row's pair, its sides at the top or inside `translation`, as {"de": …, "en": …}."""
    inner = opened(cells.get("translation"))
    values: Mapping[str, Any] = inner if isinstance(inner, Mapping) else cells
    places = () if columns else ((numbered(0), numbered(1)),)
    for names in (columns,) if columns else (*usual, *places):
        one, other = (spelled(name, values) for name in names)
        if one is not None and other is not None:
            return pair_of(as_text(values[one]), as_text(values[other]))
    return Fault(NO_PAIR, f"found {', '.join(map(str, values))}")


def pair_of(source: str | None, target: str | None) -> Pair | Fault:
    """Without white space around them; a side that is empty or no text makes none."""
    if source is None or target is None:
        return Fault("no text", "source" if source is None else "target")
    pair = Pair(source.strip(), target.strip())
    empty = [side for side, text in pair._asdict().items() if not text]
    return Fault("empty side", " and ".join(empty)) if empty else pair
