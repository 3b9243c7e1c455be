"""Texts with labels: a table, JSON Lines, a JSON list or Parquet, plain or packed.

The columns are found by their usual names, and what was found is returned to be said. A row that
cannot be used costs itself and is named by file and line.
"""

import hashlib
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import UsageError, nearest
from hornbook.datasets.columns import AHEAD, as_text, find_column, names_in, names_of, text_of
from hornbook.datasets.tables import read_rows
from hornbook.read.documents import Rejection, content_hash
from hornbook.read.formats.header import LABEL_NAMES, TEXT_NAMES, Naming
from hornbook.read.formats.table import Row
from hornbook.read.sources import name_of


class LabelledText(NamedTuple):
    """id: the row's own where the file has an `id` column, else its line or row number."""

    id: str
    text: str
    label: str


class LabelledData(NamedTuple):
    """The usable rows in the file's order, which columns they came from, and what was left out."""

    rows: list[LabelledText]
    text_column: str
    label_column: str
    rejected: list[Rejection]

    @property
    def classes(self) -> list[str]:
        """The different labels: numbers by their size, then texts in the order of Unicode."""
        return classes_of(row.label for row in self.rows)


def classes_of(labels: Iterable[str]) -> list[str]:
    """The different labels in the order in which a classifier numbers them."""

    def order(label: str) -> tuple[bool, int, str]:
        is_number = label.isdecimal() and label.isascii()
        return not is_number, int(label) if is_number else 0, label

    return sorted(set(labels), key=order)


def read_labelled(
    path: Path,
    text_column: str | None = None,
    label_column: str | None = None,
    classes: Sequence[str] | None = None,
    most: int | None = None,
) -> LabelledData:
    """All rows of one file that have a text and a label.

    text_column, label_column: as the file calls them, in any case; "column 1" and so on in a table
    without a header; `title+text` joins two columns. classes: what a classifier knows, when the
    file is to measure it and not to train it: one class or few rows are then no mistake, but an
    unknown label is. most: rows that are read, from the beginning. Numbers as labels become their
    text: 1.0 becomes "1", in every format.

    Raises UsageError for a file that is not there or of another kind, for columns that are not
    there or cannot be told, and for labels from which nothing can be learned.
    """
    every = read_rows(path, Naming(names_in(text_column, label_column)))
    found = list(itertools.islice(every, most))
    rejected = [item for item in found if isinstance(item, Rejection)]
    values = [item for item in found if isinstance(item, Row)]
    if not values:
        raise UsageError(f"{path} holds no rows.{_first(rejected)}")
    text, label = _columns(path, values[:AHEAD], text_column, label_column)
    spelled = {_label(name) or name: name for name in classes or ()}
    rows = []
    for item in values:
        row = _row(item, text, label, spelled)
        if isinstance(row, LabelledText):
            rows.append(row)
        else:
            rejected.append(Rejection(name_of(path), item.number, *row))
    if len({row.id for row in rows}) < len(rows):
        numbers = {r.line for r in rejected}
        usable = (item for item in values if item.number not in numbers)
        rows = [row._replace(id=str(v.number)) for row, v in zip(rows, usable, strict=True)]
    data = LabelledData(rows, text, label, rejected)
    _check(path, data, classes)
    return data


def _columns(path: Path, rows: list[Row], text: str | None, label: str | None) -> tuple[str, str]:
    """Which columns hold text and label: those asked for, usual ones, or the two there are."""
    names = names_of(rows)
    found_text = find_column(path, text, TEXT_NAMES, names, taken=label)
    found_label = find_column(path, label, LABEL_NAMES, names, taken=found_text)
    # Columns without a name that hold nothing, as spreadsheets leave them, are not there.
    names = [n for n in names if any(row.cells.get(n) not in ("", None) for row in rows)]
    if found_text and found_label:
        return found_text, found_label
    if len(names) == 2:
        if found_text in names:
            return found_text, names[1 - names.index(found_text)]
        if found_label in names:
            return names[1 - names.index(found_label)], found_label
        return _guess(path, names, rows)
    what = "text" if not found_text else "label"
    usual = TEXT_NAMES if not found_text else LABEL_NAMES
    raise UsageError(
        f"{path} has no column with a usual name for the {what} ({', '.join(usual[:6])} …). "
        f"Name it; the columns are {', '.join(names)}."
    )


def _guess(path: Path, names: list[str], rows: list[Row]) -> tuple[str, str]:
    """Of two columns, the labels are those with fewer different values."""
    one, other = (len({str(row.cells.get(name)) for row in rows}) for name in names)
    if one == other:
        raise UsageError(
            f"{path} does not say which of its columns {names[0]!r} and {names[1]!r} holds the "
            "labels, and both have as many different values. Name the columns."
        )
    return (names[1], names[0]) if one < other else (names[0], names[1])


def _row(
    item: Row, text_column: str, label_column: str, spelled: Mapping[str, str]
) -> LabelledText | tuple[str, str]:
    """The row, or why there is none: a short reason and the detail.

    spelled: labels that a classifier has, as it writes them.
    """
    text = text_of(item, text_column)
    if text is None:
        return "no text", f"{text_column} is no text"
    if not text.strip():
        return "no text", f"{text_column} is empty"
    value = item.cells.get(label_column)
    label = _label(value)
    if label is None:
        return "no label", f"{label_column} is a {type(value).__name__}"
    if not label:
        return "no label", f"{label_column} is empty"
    own = item.cells.get("id")
    id = str(own) if isinstance(own, str | int) and own != "" else str(item.number)
    return LabelledText(id, text, spelled.get(label, label))


_WHOLE, _TRUTH = re.compile(r"[-+]?\d+\.0+"), ("true", "false")


def _label(value: Any) -> str | None:
    """A cell as a label, which is the same whether its file writes 1.0 or 1, True or true."""
    text = as_text(value)
    label = text.strip() if text else text
    if label and _WHOLE.fullmatch(label):
        return label.partition(".")[0]
    return label.lower() if label and label.lower() in _TRUTH else label


def _check(path: Path, data: LabelledData, classes: Sequence[str] | None) -> None:
    """Refuse what nothing can be learned from, or measured on."""
    column, counts = data.label_column, Counter(row.label for row in data.rows)
    if not counts:
        raise UsageError(
            f"{path} holds no row with a text in {data.text_column!r} and a label in {column!r}."
            f"{_first(data.rejected)}"
        )
    if classes is not None:
        unknown = [label for label in counts if label not in classes]
        if unknown:
            shown = ", ".join(f"{label!r} ({counts[label]:,} rows)" for label in unknown[:5])
            more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
            raise UsageError(
                f"{path} has labels in {column!r} that were not trained: {shown}{more}. "
                f"{nearest(unknown[0], classes)}"
            )
    elif len(counts) == 1:
        raise UsageError(
            f"{path} has one class only: all {len(data.rows):,} rows have {next(iter(counts))!r} "
            f"in {column!r}. At least two are needed."
        )
    elif len(counts) == len(data.rows):
        raise UsageError(
            f"{path} has as many classes as rows in {column!r}: each of its {len(counts):,} labels "
            "occurs once, so that nothing can be learned. Is it the right column?"
        )


def _first(rejected: list[Rejection]) -> str:
    if not rejected:
        return ""
    first = rejected[0]
    where = f"line {first.line:,}" if first.line else "the file"
    return f" {len(rejected):,} could not be used; the first, {where}: {first.reason} " + (
        f"({first.detail[:200]})."
    )


def without_copies(rows: Sequence[LabelledText]) -> tuple[list[LabelledText], int]:
    """The first row of each content (text up to white space), and how many rows were dropped."""
    seen: set[str] = set()
    kept = []
    for row in rows:
        digest = content_hash(row.text)
        if digest not in seen:
            seen.add(digest)
            kept.append(row)
    return kept, len(rows) - len(kept)


def folds(rows: Sequence[LabelledText], count: int, seed: int = 0) -> list[int]:
    """For each row, the fold from 0 to `count` - 1 in which it is tested.

    Decided by contents, labels and the seed, not by the order of rows; equal contents share a fold;
    each label is dealt out evenly. Raises UsageError for fewer different contents than folds.
    """
    groups = _groups(rows, seed)
    contents = sum(map(len, groups.values()))
    if not 2 <= count <= contents:
        raise UsageError(f"{contents:,} different texts cannot make {count:,} folds.")
    dealt = itertools.cycle(range(count))  # goes on from label to label, so that sizes are even
    found = [0] * len(rows)
    for places in itertools.chain.from_iterable(groups[label] for label in sorted(groups)):
        fold = next(dealt)
        for place in places:
            found[place] = fold
    return found


def split(
    rows: Sequence[LabelledText], share: float, seed: int = 0
) -> tuple[list[LabelledText], list[LabelledText]]:
    """Rows to train on, and about `share` of them held out, each in the order in which they came.

    Decided as in `folds`. Of a label, at least one content is held out if it has two or more, and
    at least one is left. Raises UsageError where that leaves nothing to hold out.
    """
    assert 0 < share < 1
    held: set[int] = set()
    for groups in _groups(rows, seed).values():
        wanted = min(max(1, round(share * len(groups))), len(groups) - 1)
        held.update(itertools.chain.from_iterable(groups[:wanted]))
    if not held:
        raise UsageError(
            f"Nothing can be held out: the {len(rows):,} rows have one text for each label."
        )
    train = [row for place, row in enumerate(rows) if place not in held]
    return train, [rows[place] for place in sorted(held)]


def _groups(rows: Sequence[LabelledText], seed: int) -> dict[str, list[list[int]]]:
    """Places of rows of equal content, by their commonest label, in the order of their hashes."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        places[content_hash(row.text)].append(place)
    groups: dict[str, list[list[int]]] = defaultdict(list)
    for digest in sorted(places, key=lambda d: hashlib.blake2b(f"{seed}:{d}".encode()).digest()):
        labels = Counter(rows[place].label for place in places[digest])
        label = min(labels, key=lambda name: (-labels[name], name))
        groups[label].append(places[digest])
    return groups
