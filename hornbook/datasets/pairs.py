"""Pairs of a text and its translation: two aligned files, a table or JSON Lines, plain or packed.

A pair that cannot be had costs itself and is named by file and line. Knows formats; knows nothing
of tokens.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError, UsageError
from hornbook.datasets.tables import FORMATS, read_rows, read_texts
from hornbook.read.documents import Rejection
from hornbook.read.formats.decode import newlines
from hornbook.read.formats.delimited import Text
from hornbook.read.formats.header import PAIR_NAMES, Naming, numbered
from hornbook.read.formats.lines import Fault
from hornbook.read.formats.table import Row
from hornbook.read.sources import format_of, name_of


class Pair(NamedTuple):
    """A text and its translation, without line breaks around them."""

    source: str
    target: str


Columns = tuple[str, str]


def read_pairs(files: Sequence[Path], columns: Columns | None = None) -> Iterator[Pair | Rejection]:
    """The pairs of one table or JSON Lines file, or of two aligned files, in their order.

    columns: what the file calls source and target, for tables and JSON Lines. Raises UsageError
    for another number of files, a missing one or unknown columns, HornbookError for aligned files
    of different lengths.
    """
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file} does not exist or is no file.")
    if len(files) == 2:
        return _named(_aligned(*files))
    if len(files) != 1:
        raise UsageError(
            f"Pairs come in one file (.tsv, .jsonl) or two aligned ones, not in {len(files)}."
        )
    (file,) = files
    if format_of(file) in FORMATS:
        return _named(_table(file, columns))
    raise UsageError(
        f"{file} alone holds no pairs: it is none of {', '.join(FORMATS)}. Name two aligned files."
    )


class _Place(NamedTuple):
    """Where a pair stands, for its rejection. size: bytes."""

    file: Path
    line: int | None
    size: int

    def rejection(self, fault: Fault) -> Rejection:
        return Rejection(name_of(self.file), self.line, *fault, self.size)


_Found = tuple[_Place, Pair | Fault] | Rejection


def _named(found: Iterator[_Found]) -> Iterator[Pair | Rejection]:
    """Pairs without white space around them; a side that is empty then makes a rejection."""
    for item in found:
        if isinstance(item, Rejection):
            yield item
            continue
        place, pair = item
        if isinstance(pair, Pair):
            pair = Pair(pair.source.strip(), pair.target.strip())
            empty = [side for side, text in pair._asdict().items() if not text]
            pair = Fault("empty side", " and ".join(empty)) if empty else pair
        yield place.rejection(pair) if isinstance(pair, Fault) else pair


def _aligned(source: Path, target: Path) -> Iterator[_Found]:
    """Line n of one file translates line n of the other."""
    lines = itertools.zip_longest(read_texts(source), read_texts(target))
    for count, (one, other) in enumerate(lines):
        if one is None or other is None:
            shorter = source if one is None else target
            raise HornbookError(
                f"{source} and {target} are not aligned: {shorter} has only {count:,} lines."
            )
        sides: list[tuple[Path, Text]] = [(source, one), (target, other)]
        broken = next((side for side in sides if side[1].fault), None)
        file, text = broken or sides[0]
        place = _Place(file, text.number or None, text.size)
        yield place, text.fault or Pair(one.text, other.text)


def _table(file: Path, columns: Columns | None) -> Iterator[_Found]:
    """A row a pair, its sides at the top or inside `translation`, as {"de": …, "en": …}."""
    usual = [name for names in PAIR_NAMES for name in names]
    for item in read_rows(file, Naming(columns or (), usual=usual, guess=False)):
        if isinstance(item, Rejection):
            yield item
        else:
            yield _Place(file, item.number, item.size or 0), _pair(file, item, columns)


def _pair(file: Path, row: Row, columns: Columns | None) -> Pair | Fault:
    values: Mapping[str, Any] = row.cells
    inner = values.get("translation")
    values = inner if isinstance(inner, Mapping) else values
    lowered = {str(name).lower(): value for name, value in reversed(list(values.items()))}
    for names in (columns,) if columns else PAIR_NAMES:
        one, other = (values.get(name, lowered.get(name.lower())) for name in names)
        if isinstance(one, str) and isinstance(other, str):
            return Pair(newlines(one), newlines(other))
    if format_of(file) not in (".csv", ".tsv"):
        return Fault("no pair", f"found {', '.join(map(str, values))}")
    if columns is None and list(values)[:2] == [numbered(0), numbered(1)]:
        return Pair(*list(values.values())[:2])
    raise UsageError(
        f"{file} has no columns {' and '.join(columns or PAIR_NAMES[0])}; its first row is "
        f"{', '.join(list(values)[:8])}."
    )
