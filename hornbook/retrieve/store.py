"""The one file that decides: documents with their whole text, passages, vectors, what was refused.

SQLite with a write-ahead log: readers see each commit at once, and a killed writer loses what it
had not committed and no more. Numbers of documents and passages are never given twice, so that what
is derived from them can be told to be old. Knows rows; knows nothing of words, models or commands.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from hornbook.core.errors import HornbookError, UsageError
from hornbook.retrieve.sentences import Span

FILE = "index.sqlite"
FORMAT = 3
PIECE = 2**14
"""Characters of a row of text: a quote is read without its book."""
_PATIENCE_S = 30.0
"""For another process that writes."""

_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, root TEXT NOT NULL,
    bytes INTEGER NOT NULL, stamp TEXT NOT NULL, hash TEXT NOT NULL, records INTEGER NOT NULL,
    whole INTEGER NOT NULL, modified TEXT NOT NULL, pages_without_text INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file INTEGER NOT NULL REFERENCES files ON DELETE CASCADE,
    record INTEGER NOT NULL, source TEXT NOT NULL, title TEXT NOT NULL,
    language TEXT NOT NULL, created TEXT NOT NULL,
    characters INTEGER NOT NULL, pages TEXT NOT NULL, metadata TEXT NOT NULL,
    generation INTEGER NOT NULL
);
CREATE INDEX documents_of_file ON documents (file);
CREATE INDEX documents_since ON documents (generation);
CREATE INDEX documents_in ON documents (language);
CREATE TABLE pieces (
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    start INTEGER NOT NULL, text TEXT NOT NULL
);
CREATE UNIQUE INDEX pieces_at ON pieces (document, start);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    start INTEGER NOT NULL, end INTEGER NOT NULL
);
CREATE UNIQUE INDEX passages_at ON passages (document, start);
CREATE TABLE vectors (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    passage INTEGER NOT NULL UNIQUE REFERENCES passages ON DELETE CASCADE,
    vector BLOB NOT NULL
);
CREATE TABLE removed (document INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
CREATE TABLE quarantine (
    file INTEGER NOT NULL REFERENCES files ON DELETE CASCADE,
    line INTEGER, reason TEXT NOT NULL, detail TEXT NOT NULL, bytes INTEGER NOT NULL
);
CREATE INDEX quarantine_of_file ON quarantine (file);
"""


class IndexedDocument(NamedTuple):
    """A document as it is listed. source: the file it was read from. pages: the character at which
    each page begins; empty where its format has none. created: an ISO date or "". language: ISO
    639-1 or "". record: its number in the file, from 1."""

    id: int
    source: str
    title: str
    language: str
    created: str
    pages: list[int]
    metadata: dict[str, Any]
    characters: int
    record: int = 1


class StoredPassage(NamedTuple):
    """A passage and the document it is of."""

    id: int
    document: int
    start: int
    end: int


class FoundPassage(NamedTuple):
    """A passage with its text, and what a hit tells of its document. path, root: its file, and the
    source that the file was found in."""

    passage: StoredPassage
    text: str
    source: str
    title: str
    language: str
    record: int
    pages: list[int]
    path: str
    root: str


_DOCUMENT = "id, source, title, language, created, pages, metadata, characters, record"


def _document(row: tuple[Any, ...]) -> IndexedDocument:
    return IndexedDocument._make((*row[:5], json.loads(row[5]), json.loads(row[6]), *row[7:]))


class Store:
    """An open index file. `connection` is SQLite's, for what has no function here."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.execute = connection.execute

    @classmethod
    def open(cls, folder: Path) -> Self:
        """To read. Raises UsageError where there is no index, HornbookError where it is broken."""
        if not cls.is_there(folder):
            raise UsageError(
                f"{folder} holds no index; make one: hornbook index DOCS --out {folder}"
            )
        return cls._connected(folder / FILE, "ro")

    @classmethod
    def is_there(cls, folder: Path) -> bool:
        """Whether a folder has an index: a file whose maker was killed before its first commit is
        none. Raises HornbookError for a file that is broken."""
        path = folder / FILE
        if not path.is_file():
            return False
        store = cls._connected(path, "ro")
        try:
            return store._tables()
        finally:
            store.close()

    @classmethod
    def create(cls, folder: Path) -> Self:
        """To write; the file is made where there is none."""
        path = folder / FILE
        fresh = not path.is_file()
        store = cls._connected(path, "rwc", check=not fresh)
        if fresh or not store._tables():
            with store.connection:
                store.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA.split(";"):
                    store.execute(statement)
                store.keep("format", FORMAT)
                store.keep("generation", 0)
                store.keep("identity", secrets.randbits(48))
        return store

    @classmethod
    def _connected(cls, path: Path, mode: str, check: bool = True) -> Self:
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        try:
            connection = sqlite3.connect(
                uri, uri=True, timeout=_PATIENCE_S, check_same_thread=False, isolation_level=None
            )
            store = cls(connection)
            if mode == "rwc":
                store.execute("PRAGMA journal_mode = WAL")
                store.execute("PRAGMA synchronous = FULL")
                store.execute("PRAGMA secure_delete = ON")
            store.execute("PRAGMA foreign_keys = ON")
            if check and store._tables():
                store._check(path)
        except sqlite3.DatabaseError as error:
            raise HornbookError(f"{path} is no index that can be opened: {error}.") from None
        return store

    def _tables(self) -> bool:
        return (
            self.execute("SELECT 1 FROM sqlite_master WHERE name = 'settings'").fetchone()
            is not None
        )

    def _check(self, path: Path) -> None:
        found = self.setting("format")
        if found != FORMAT:
            raise HornbookError(
                f"{path} has format {found}; this Hornbook reads format {FORMAT}: make it anew."
            )

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    def setting(self, name: str) -> Any:
        """What is kept for the whole index under a name; None where nothing is."""
        row = self.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, name: str, value: Any) -> None:
        """Keep plain data under a name."""
        packed = json.dumps(value, ensure_ascii=False)
        self.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, packed))

    @property
    def generation(self) -> int:
        """Grows with each commit that adds or removes documents."""
        return int(self.setting("generation") or 0)

    @property
    def identity(self) -> int:
        """A number that no other store has: what was derived from another one is of no use."""
        return int(self.setting("identity"))

    def documents(self, clause: str = "", values: tuple[Any, ...] = ()) -> list[IndexedDocument]:
        """All documents, or those of a clause of SQL."""
        rows = self.execute(f"SELECT {_DOCUMENT} FROM documents {clause} ORDER BY id", values)
        return [_document(row) for row in rows]

    def document(self, id: int) -> IndexedDocument | None:
        """One document, or None where it is no longer there."""
        found = self.documents("WHERE id = ?", (id,))
        return found[0] if found else None

    def text(self, document: int, start: int = 0, end: int | None = None) -> str:
        """The characters of a document from `start` up to `end`; fewer where it ends before."""
        start, stop = max(0, start), 2**62 if end is None else end
        rows = self.execute(
            "SELECT start, text FROM pieces WHERE document = ? AND start > ? AND start < ? "
            "ORDER BY start",
            (document, start - PIECE, stop),
        ).fetchall()
        if not rows:
            return ""
        first = rows[0][0]
        return "".join(text for _, text in rows)[max(0, start - first) : max(0, stop - first)]

    def passages(
        self, document: int, start: int = 0, end: int | None = None
    ) -> list[StoredPassage]:
        """The passages of a document that have a character from `start` up to `end`."""
        rows = self.execute(
            "SELECT id, document, start, end FROM passages "
            "WHERE document = ? AND end > ? AND start < ? ORDER BY start",
            (document, start, 2**62 if end is None else end),
        )
        return [StoredPassage(*row) for row in rows]

    def passages_by_id(self, ids: list[int]) -> dict[int, StoredPassage]:
        """Those of the passages that are there."""
        found: dict[int, StoredPassage] = {}
        for at in range(0, len(ids), 500):
            some = ids[at : at + 500]
            rows = self.execute(
                "SELECT id, document, start, end FROM passages "
                f"WHERE id IN ({', '.join('?' * len(some))})",
                some,
            )
            found |= {row[0]: StoredPassage(*row) for row in rows}
        return found

    def found(self, ids: Sequence[int]) -> dict[int, FoundPassage]:
        """As `passages_by_id`, each with its text and its document: a search asks once for all."""
        rows = self.execute(
            "SELECT pieces.start, text, passages.id, passages.document, passages.start, "
            "passages.end, source, title, language, record, pages, path, root "
            "FROM passages JOIN documents ON documents.id = passages.document "
            "JOIN files ON files.id = file CROSS JOIN pieces ON pieces.document = documents.id "
            f"AND pieces.start > passages.start - {PIECE} AND pieces.start < passages.end "
            f"WHERE passages.id IN ({', '.join('?' * len(ids))}) "
            "ORDER BY passages.id, pieces.start",
            ids,
        )
        found: dict[int, FoundPassage] = {}
        pages: dict[int, list[int]] = {}
        for first, text, id, document, start, end, *told, listed, path, root in rows:
            text = text[max(0, start - first) : end - first]
            if id in found:  # it goes on in the next piece
                found[id] = found[id]._replace(text=found[id].text + text)
                continue
            if document not in pages:
                pages[document] = [] if listed == "[]" else json.loads(listed)
            passage = StoredPassage(id, document, start, end)
            found[id] = FoundPassage._make((passage, text, *told, pages[document], path, root))
        return found

    def passage_texts(self, document: int) -> Iterator[tuple[int, str]]:
        """The number and text of each passage of a document, in order; a book is never whole."""
        held, first = "", 0
        pieces = self.execute(
            "SELECT start, text FROM pieces WHERE document = ? ORDER BY start", (document,)
        )
        for id, _, start, end in self.passages(document):
            while first + len(held) < end:
                row = pieces.fetchone()
                if row is None:
                    break
                held, first = held[max(0, start - first) :] + row[1], max(first, min(start, row[0]))
            yield id, held[start - first : end - first]

    def add_text(self, document: int, text: str, spans: list[Span]) -> None:
        """Store what a document says, and its passages."""
        starts = range(0, len(text), PIECE)
        self.connection.executemany(
            "INSERT INTO pieces VALUES (?, ?, ?)",
            ((document, start, text[start : start + PIECE]) for start in starts),
        )
        self.connection.executemany(
            "INSERT INTO passages (document, start, end) VALUES (?, ?, ?)",
            ((document, span.start, span.end) for span in spans),
        )
