"""The one that writes an index: files come, change and go; each commit is whole.

Knows documents that were read, and the store; knows nothing of how files are found or read.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from hornbook.corpus.language import language_of
from hornbook.read.documents import PAGES_WITHOUT_TEXT, Document, Rejection
from hornbook.retrieve.lock import WRITER_LOCK, locked
from hornbook.retrieve.passages import passages
from hornbook.retrieve.store import Store
from hornbook.retrieve.words import FOLDER as WORDS
from hornbook.retrieve.words import WordIndex


class IndexedFile(NamedTuple):
    """A file whose documents are in the index.

    root: the source that it was found in. stamp: what tells without reading that it is unchanged.
    hash: of its content. records: how many of its records were taken over; all where `whole`.
    """

    id: int
    path: str
    root: str
    bytes: int
    stamp: str
    hash: str
    records: int
    whole: bool


class FoundFile(NamedTuple):
    """A file as it is found on the disk. modified: an ISO date or ""."""

    path: str
    root: str
    bytes: int
    stamp: str
    hash: str
    modified: str


_FILE = "id, path, root, bytes, stamp, hash, records, whole"


class IndexWriter:
    """Adds and removes files. One process at a time; others wait for none and are refused."""

    def __init__(self, folder: Path) -> None:
        """Raises HornbookError where another process writes."""
        self.folder = folder
        self._lock = locked(folder / WRITER_LOCK)
        self.store = Store.create(folder)
        self.words = WordIndex.made(folder / WORDS)
        self._changed = False
        self.store.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commits what is whole; after an error, what was committed before stays."""
        try:
            if kind is None:
                self.commit()
            else:
                self.store.execute("ROLLBACK")
        finally:
            self.store.close()
            self._lock.close()

    def files(self) -> dict[str, IndexedFile]:
        """The files of the index, by path."""
        rows = self.store.execute(f"SELECT {_FILE} FROM files")
        return {row[1]: IndexedFile._make((*row[:7], bool(row[7]))) for row in rows}

    def begin(self, found: FoundFile) -> int:
        """Take a file in, in place of what it held before; its number."""
        self.remove([found.path])
        row = self.store.execute(
            "INSERT INTO files (path, root, bytes, stamp, hash, modified, records, whole) "
            "VALUES (?, ?, ?, ?, ?, ?, 0, 0)",
            (found.path, found.root, found.bytes, "", found.hash, found.modified),
        )
        return int(row.lastrowid or 0)

    def touch(self, file: int, found: FoundFile) -> None:
        """A file has the content it had, under another name or date."""
        self.store.execute(
            "UPDATE files SET path = ?, root = ?, stamp = ?, modified = ? WHERE id = ?",
            (found.path, found.root, found.stamp, found.modified, file),
        )
        self.store.execute("UPDATE documents SET source = ? WHERE file = ?", (found.path, file))

    def take(self, file: int, item: Document | Rejection) -> None:
        """Take a record of a file over: its text, or why there is none."""
        self.store.execute("UPDATE files SET records = records + 1 WHERE id = ?", (file,))
        if isinstance(item, Rejection):
            self.store.execute(
                "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?)",
                (file, item.line, item.reason, item.detail, item.size),
            )
            return
        metadata = {name: value for name, value in item.metadata.items() if name != "pages"}
        pages = item.metadata.get("pages") or []
        blank = metadata.get(PAGES_WITHOUT_TEXT)
        if isinstance(blank, int):
            self.store.execute(
                "UPDATE files SET pages_without_text = pages_without_text + ? WHERE id = ?",
                (blank, file),
            )
        language = language_of(item.text).code
        title = metadata.get("title")
        row = self.store.execute(
            "INSERT INTO documents (file, record, source, title, language, created, characters, "
            "pages, metadata, generation) SELECT id, records, path, ?, ?, ?, ?, ?, ?, ? FROM files "
            "WHERE id = ?",
            (
                title.strip() if isinstance(title, str) else "",
                language,
                item.created,
                len(item.text),
                _json(pages if _are_offsets(pages) else []),
                _json(metadata),
                self._next(),
                file,
            ),
        )
        self.store.add_text(int(row.lastrowid or 0), item.text, passages(item.text, language))

    def end(self, file: int, found: FoundFile) -> None:
        """All records of a file are there."""
        self.store.execute(
            "UPDATE files SET stamp = ?, whole = 1 WHERE id = ?", (found.stamp, file)
        )

    def remove(self, paths: Iterable[str]) -> int:
        """Take files and all that they hold out; how many documents that were."""
        count = 0
        for path in paths:
            row = self.store.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()
            if row is None:
                continue
            count += self.store.execute(
                "INSERT INTO removed SELECT id, ? FROM documents WHERE file = ?",
                (self._next(), row[0]),
            ).rowcount
            self.store.execute("DELETE FROM files WHERE id = ?", row)
        return count

    def _next(self) -> int:
        """The generation of the commit to come."""
        if not self._changed:
            self._changed = True
            self._generation = self.store.generation + 1
        return self._generation

    def commit(self) -> None:
        """From here it counts: readers see it, and no kill takes it away."""
        if self._changed:
            self.store.keep("generation", self._generation)
            self._changed = False
        self.store.execute("COMMIT")
        self.store.execute("BEGIN")

    def catch_up(self, advance: Callable[[float], None] = lambda passages: None) -> None:
        """Bring the word index up to date. advance: told of passages."""
        self.commit()
        self.words.catch_up(self.store, advance)


def _are_offsets(pages: Any) -> bool:
    return isinstance(pages, list) and all(type(place) is int for place in pages)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
