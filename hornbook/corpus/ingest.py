"""What is read goes to one of two places: the store or the quarantine. Nothing is judged here.

Files are read in units, independently of one another; a unit's documents are of one source of the
recipe.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_json, write_json
from hornbook.core.pool import Runner
from hornbook.core.progress import Progress
from hornbook.corpus.accounting import Account
from hornbook.corpus.document_files import DocumentWriter
from hornbook.corpus.recipe import CorpusRecipe
from hornbook.read.documents import Document, Rejection, content_hash
from hornbook.read.locations import AnyPath
from hornbook.read.pydocs import read_pydocs
from hornbook.read.sources import PYTHON_DOCS, name_of, read_file, size_of

QUARANTINE, BOOKS, UNITS = "quarantine.jsonl", "books.json", "units.json"
UNIT_BYTES = 16 * 2**20
"""Of files that are read together, about: enough to be worth a process, few enough to share out."""


class ReadTask(NamedTuple):
    """files: of one unit; none for Python's documentation. name: of its parts. out: the folder."""

    files: list[AnyPath]
    name: str
    out: Path
    text_field: str | None
    strict: bool

    @property
    def quarantine(self) -> Path:
        """Where this unit's broken records go."""
        return self.out / f"{self.name}.quarantine"


class UnitBooks(NamedTuple):
    """Records that came in and their bytes, and how much of them was stored."""

    documents: int
    bytes: int
    stored: int
    stored_bytes: int


def read_all(
    files: Sequence[AnyPath],
    pydocs: bool,
    out: Path,
    recipe: CorpusRecipe,
    runner: Runner,
    progress: Progress,
) -> None:
    """Store what was read, and the rest in the quarantine; write the books of both.

    Raises HornbookError for the first broken record when the recipe is strict.
    """
    units = list(_units(files, recipe))
    if pydocs:
        units.append((recipe.source_of(PYTHON_DOCS), []))
    tasks = [
        ReadTask(unit, f"part-{i:05d}", out, recipe.text_field, recipe.strict)
        for i, (_, unit) in enumerate(units)
    ]
    account = Account()
    with progress.bar("reading", sum(map(_size, tasks)) / 1e6, "MB") as advance:
        for task, books in zip(tasks, runner.map(read_unit, tasks), strict=True):
            account.documents_in += books.documents
            account.bytes_in += books.bytes
            account.documents_kept += books.stored
            account.bytes_kept += books.stored_bytes
            advance(_size(task) / 1e6)
    with (out / QUARANTINE).open("wb") as whole:
        for task in tasks:
            whole.write(task.quarantine.read_bytes())
            task.quarantine.unlink()
    for broken in quarantined(out):
        account.drop(broken["reason"], broken["bytes"])
    account.check()
    write_json(out / BOOKS, account.plain())
    write_json(out / UNITS, {task.name: name for task, (name, _) in zip(tasks, units, strict=True)})


def read_unit(task: ReadTask) -> UnitBooks:
    """Read the files of one unit."""
    writer = DocumentWriter(task.out, task.name)
    documents = size = stored = stored_bytes = 0
    with task.quarantine.open("w", encoding="utf-8") as quarantine:
        for item in _items(task):
            documents += 1
            if isinstance(item, Rejection):
                if task.strict:
                    line = "" if item.line is None else f", line {item.line}"
                    raise HornbookError(f"{item.file}{line}: {item.reason} ({item.detail}).")
                size += item.size
                row = {"file": item.file, "line": item.line, "reason": item.reason}
                quarantine.write(_line({**row, "detail": item.detail, "bytes": item.size}))
            else:
                length = len(item.text.encode("utf-8"))
                size += length
                stored += 1
                stored_bytes += length
                writer.add(item, length, content_hash(item.text))
    writer.close()
    return UnitBooks(documents, size, stored, stored_bytes)


def source_of_part(folder: Path, part: str) -> str:
    """The name of the recipe's source that the documents of a part are of."""
    return str(read_json(folder / UNITS)[part.rpartition("-")[0]])


def quarantined(folder: Path) -> Iterator[dict[str, Any]]:
    """All records that could not be read."""
    with (folder / QUARANTINE).open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def quarantine_samples(folder: Path, each: int = 5) -> list[dict[str, Any]]:
    """The first few quarantined records of each reason."""
    seen: Counter[str] = Counter()
    samples = []
    for row in quarantined(folder):
        seen[row["reason"]] += 1
        if seen[row["reason"]] <= each:
            samples.append(row)
    return samples


def _units(files: Sequence[AnyPath], recipe: CorpusRecipe) -> Iterator[tuple[str, list[AnyPath]]]:
    """Neighbours of one source, together until they are large enough."""
    unit: list[AnyPath] = []
    name, size = "", 0
    for file in files:
        own = recipe.source_of(name_of(file))
        if unit and (own != name or size >= UNIT_BYTES):
            yield name, unit
            unit, size = [], 0
        unit.append(file)
        name, size = own, size + size_of(file)
    if unit:
        yield name, unit


def _items(task: ReadTask) -> Iterator[Document | Rejection]:
    for file in task.files:
        yield from read_file(file, task.text_field)
    if not task.files:
        yield from read_pydocs()


def _size(task: ReadTask) -> int:
    return sum(map(size_of, task.files))


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
