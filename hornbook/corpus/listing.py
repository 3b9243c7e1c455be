"""Documents of a corpus by pages, kept ones or those dropped for a reason; a page costs what it
shows, however many there are.

Where dropped documents lie in their files is found once for each state of these files.
"""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.corpus.build import stages_of
from hornbook.corpus.document_files import TAGS, parts, read_parquet
from hornbook.corpus.ingest import QUARANTINE
from hornbook.corpus.rules import RULES
from hornbook.corpus.select import DROPPED

_EXCERPT, _LONGEST = 400, 20_000
"""Characters of a document in a list, and by itself."""
_REASON = re.compile(rb'\{"id": "(?:[^"\\]|\\.)*", "reason": ("(?:[^"\\]|\\.)*")')


class ListedDocument(NamedTuple):
    """text: its beginning. bytes: as it was read, or as it is kept. detail: the value behind the
    reason."""

    id: str
    source: str
    text: str
    bytes: int
    detail: float | None = None
    duplicate_of: str | None = None


class ListedRecord(NamedTuple):
    """What could not be read: where it stands, and why."""

    file: str
    line: int | None
    detail: str


class ShownDocument(NamedTuple):
    """trace: as `trace_document` says it. text: cut. measured: what each rule measured."""

    trace: dict[str, Any]
    source: str
    text: str
    characters: int
    metadata: dict[str, Any]
    measured: dict[str, Any]


def kept_documents(folder: Path, start: int, count: int) -> list[ListedDocument]:
    """Some of those that were kept, in the order they are stored."""
    import pyarrow.compute as compute

    found: list[ListedDocument] = []
    for part, group, first, rows in _groups(folder):
        skipped = max(0, start - first)
        if skipped >= rows or len(found) >= count:
            continue
        table = _group(part, group, ["id", "source", "text"]).slice(skipped, count - len(found))
        sizes = compute.binary_length(table["text"]).to_pylist()
        texts = compute.utf8_slice_codeunits(table["text"], 0, _EXCERPT).to_pylist()
        columns = table["id"].to_pylist(), table["source"].to_pylist(), texts, sizes
        found += map(ListedDocument, *columns)
    return found


def dropped_documents(folder: Path, reason: str, start: int, count: int) -> list[ListedDocument]:
    """Some of those that were dropped for a reason."""
    places = (
        (path, place)
        for path in sorted((folder / DROPPED).glob("*.jsonl"))
        for place in _places(path, *_state(path)).get(reason, ())
    )
    found = []
    for path, (begin, length) in itertools.islice(places, start, start + count):
        with path.open("rb") as lines:
            lines.seek(begin)
            row = json.loads(lines.read(length))
        known = {name: row.get(name) for name in ListedDocument._fields}
        found.append(ListedDocument(**known)._replace(text=str(row["text"])[:_EXCERPT]))
    return found


def unread_records(folder: Path, reason: str, start: int, count: int) -> list[ListedRecord]:
    """Some of the records that could not be read for a reason."""
    path = folder / QUARANTINE
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        rows = (row for row in map(json.loads, lines) if row["reason"] == reason)
        some = itertools.islice(rows, start, start + count)
        return [ListedRecord(str(r["file"]), r["line"], str(r["detail"] or "")) for r in some]


def show_document(folder: Path, trace: dict[str, Any]) -> ShownDocument:
    """The text of one, and what was measured of it. trace: as `trace_document` says it.

    Raises HornbookError for a damaged corpus.
    """
    id = trace["id"]
    if not trace["kept"]:
        source, text = str(trace["source"]), str(trace["text"])
        return ShownDocument(trace, source, text, len(text), {}, _measured(folder, id))
    part = Path(trace["file"])
    first = 0
    for each, group, _, rows in _groups(folder, [part]):
        if trace["row"] < first + rows:
            row = _group(each, group).slice(trace["row"] - first, 1).to_pylist()[0]
            tags = read_parquet(folder / TAGS / part.name).slice(trace["row"], 1).to_pylist()
            measured = tags[0] if tags and tags[0]["id"] == id else {}
            return ShownDocument(
                trace, row["source"], row["text"][:_LONGEST], len(row["text"]),
                json.loads(row["metadata"]), _values(measured),
            )  # fmt: skip
        first += rows
    raise HornbookError(f"{part} has no row {trace['row']}: the corpus is damaged; build it again.")


def _measured(folder: Path, id: str) -> dict[str, Any]:
    """What was measured of a dropped document, while the stages are there."""
    import pyarrow.compute as compute

    for path in sorted((stages_of(folder) / "tags").glob("part-*.parquet")):
        table = read_parquet(path)
        place = compute.index(table["id"], id).as_py()
        if place >= 0:
            return _values(table.slice(place, 1).to_pylist()[0])
    return {}


def _values(row: dict[str, Any]) -> dict[str, Any]:
    """What each rule measured, where it judged; and the language with its share of the text."""
    names = ("language", "share", *RULES)
    return {
        name: row[name]
        for name in names
        if row.get(name) not in (None, "") and row[name] == row[name]
    }


def _groups(
    folder: Path, among: Sequence[Path] | None = None
) -> Iterator[tuple[Path, int, int, int]]:
    """(file, row group, its first row in all of them, rows), in order."""
    import pyarrow.parquet as parquet

    first = 0
    for path in parts(folder) if among is None else among:
        facts = parquet.read_metadata(path)
        for group in range(facts.num_row_groups):
            rows = facts.row_group(group).num_rows
            yield path, group, first, rows
            first += rows


def _group(path: Path, group: int, columns: list[str] | None = None) -> Any:
    import pyarrow.parquet as parquet

    return parquet.ParquetFile(path).read_row_group(group, columns)


def _state(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=64)
def _places(path: Path, modified: int, size: int) -> dict[str, list[tuple[int, int]]]:
    """Of each reason where its rows begin in a file, and how long they are."""
    found: dict[str, list[tuple[int, int]]] = {}
    at = 0
    with path.open("rb") as lines:
        for line in lines:
            if match := _REASON.match(line):
                found.setdefault(json.loads(match[1]), []).append((at, len(line)))
            at += len(line)
    return found
