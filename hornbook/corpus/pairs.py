"""Pairs of a text and its translation: two aligned files, a table or JSON Lines, plain or packed.

A pair that cannot be had costs itself and is named by file and line. Knows formats; knows nothing
of tokens.
"""

import csv
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from hornbook.core.errors import HornbookError, UsageError
from hornbook.corpus.documents import Rejection
from hornbook.corpus.read import format_of, name_of
from hornbook.corpus.readers.decode import NotText, decode, newlines
from hornbook.corpus.readers.lines import BROKEN, Fault, Line, fault_of, read_lines
from hornbook.corpus.readers.packed import unpack

NAMES = (("source", "target"), ("src", "tgt"), ("input", "output"))
"""Tried in this order where the user names no columns; a table without names has two columns."""


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
    if format_of(file) in (".jsonl", ".ndjson"):
        return _named(_jsonl(file, columns))
    if format_of(file) in (".tsv", ".csv"):
        return _named(_table(file, columns))
    raise UsageError(
        f"{file} alone holds no pairs: it is neither .tsv, .csv nor .jsonl. Name two aligned files."
    )


class _Side(NamedTuple):
    """One side of a pair, or why it cannot be had."""

    file: Path
    line: Line
    text: str | Fault


_Found = tuple[Path, Line, Pair | Fault]


def _named(found: Iterator[_Found]) -> Iterator[Pair | Rejection]:
    """Pairs without white space around them; a side that is empty then makes a rejection."""
    for file, line, pair in found:
        if isinstance(pair, Pair):
            pair = Pair(pair.source.strip(), pair.target.strip())
            empty = [side for side, text in pair._asdict().items() if not text]
            pair = Fault("empty side", " and ".join(empty)) if empty else pair
        yield line.rejection(name_of(file), pair) if isinstance(pair, Fault) else pair


def _lines(file: Path) -> Iterator[Line]:
    """The lines of a file, plain or packed."""
    try:
        with file.open("rb") as raw:
            yield from read_lines(unpack(raw, file.suffix.lower()))
    except BROKEN as error:
        yield Line(0, b"", 0, fault_of(error))


def _text(line: Line) -> str | Fault:
    if line.fault:
        return line.fault
    try:
        return decode(line.data).rstrip("\n")
    except NotText as error:
        return Fault(error.reason, str(error))


def _aligned(source: Path, target: Path) -> Iterator[_Found]:
    """Line n of one file translates line n of the other."""
    for count, (one, other) in enumerate(itertools.zip_longest(_lines(source), _lines(target))):
        if one is None or other is None:
            shorter = source if one is None else target
            raise HornbookError(
                f"{source} and {target} are not aligned: {shorter} has only {count:,} lines."
            )
        sides = _Side(source, one, _text(one)), _Side(target, other, _text(other))
        broken = next((side for side in sides if isinstance(side.text, Fault)), None)
        if broken:
            yield broken.file, broken.line, cast(Fault, broken.text)
        else:
            yield source, one, Pair(*(cast(str, side.text) for side in sides))


def _table(file: Path, columns: Columns | None) -> Iterator[_Found]:
    """A row a pair: tab-separated without quotes, or comma-separated with them."""
    places: tuple[int, int] | None = None
    for line in _lines(file):
        text = _text(line)
        if isinstance(text, Fault):
            yield file, line, text
            continue
        cells = text.split("\t") if format_of(file) == ".tsv" else next(csv.reader([text]), [])
        if places is None:
            places, is_header = _places(file, cells, columns)
            if is_header:
                continue
        if len(cells) <= max(places):
            yield file, line, Fault("broken row", f"{len(cells)} columns")
        else:
            yield file, line, Pair(cells[places[0]], cells[places[1]])


def _places(file: Path, cells: list[str], columns: Columns | None) -> tuple[tuple[int, int], bool]:
    """Where source and target stand, and whether this first row names the columns."""
    names = [cell.strip().lower() for cell in cells]
    for pair in (columns,) if columns else NAMES:
        wanted = [name.lower() for name in pair]
        if all(name in names for name in wanted):
            return (names.index(wanted[0]), names.index(wanted[1])), True
    if columns or len(cells) < 2:
        raise UsageError(
            f"{file} has no columns {' and '.join(columns or NAMES[0])}; its first row is "
            f"{', '.join(cells[:8])}."
        )
    return (0, 1), False


def _jsonl(file: Path, columns: Columns | None) -> Iterator[_Found]:
    """An object a line, its pair at the top or inside `translation`, as {"de": …, "en": …}."""
    for line in _lines(file):
        text = _text(line)
        if isinstance(text, str) and not text.strip():
            continue
        yield file, line, text if isinstance(text, Fault) else _record(text, columns)


def _record(text: str, columns: Columns | None) -> Pair | Fault:
    try:
        values: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Fault("not JSON", str(error))
    if isinstance(values, dict) and isinstance(values.get("translation"), dict):
        values = values["translation"]
    if not isinstance(values, dict):
        return Fault("no pair", f"a {type(values).__name__} instead of an object")
    for source, target in (columns,) if columns else NAMES:
        pair = values.get(source), values.get(target)
        if isinstance(pair[0], str) and isinstance(pair[1], str):
            return Pair(newlines(pair[0]), newlines(pair[1]))
    return Fault("no pair", f"found {', '.join(map(str, values))}")
