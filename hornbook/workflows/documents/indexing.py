"""From files to an index that is up to date: what is new is read, what is gone is taken out.

A file whose size, dates and place on the disk are as they were is not opened; one whose content is
as it was is not read again. What is committed stays: a run that was killed goes on where it was.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError, UsageError, nearest
from hornbook.core.folders import entering
from hornbook.core.progress import Advance, Progress
from hornbook.read.documents import Document, Rejection
from hornbook.read.guessed import CHARSET_GUESSED, with_charset_guessed
from hornbook.read.ocr import READ_BY_OCR, can_read_pictures, with_pictures_read
from hornbook.read.sources import read_file, size_of
from hornbook.retrieve.lock import WRITER_LOCK
from hornbook.retrieve.store import FILE, Store
from hornbook.retrieve.vectors import FOLDER as VECTORS
from hornbook.retrieve.words import FOLDER as WORDS
from hornbook.retrieve.writer import FoundFile, IndexedFile, IndexWriter
from hornbook.workflows.documents.embedding import LOCK as VECTORS_LOCK
from hornbook.workflows.documents.embedding import finish, finish_aside
from hornbook.workflows.documents.encoders import check_encoder, settle_encoder
from hornbook.workflows.documents.found import (
    DocumentSource,
    FileNow,
    KeptSources,
    files_now,
    is_below,
    source_of,
)
from hornbook.workflows.documents.refusal import learn_to_refuse

_JOURNALS = tuple(f"{FILE}-{end}" for end in ("wal", "shm", "journal"))
_OWN = (FILE, *_JOURNALS, WRITER_LOCK, VECTORS_LOCK, WORDS, VECTORS)
_COMMIT_S, _SEARCHABLE_S = 2.0, 20.0
"""Seconds between commits, and between those after which what was read can be found by words."""
_NAMED = 20
"""Files that are named in what is said; all are in the index."""


class Refused(NamedTuple):
    """A record that could not be read."""

    file: str
    line: int | None
    reason: str
    detail: str


class IndexRequest(NamedTuple):
    """What is asked for. sources: none for those that the index was made from. remove: files or
    folders to take out, which are no sources any more. text_field: where JSON Lines and tables have
    their text. encoder: see `encoders.settle_encoder`. wait: for the vectors. seconds: of reading,
    None for all that it takes; the next run goes on with the rest."""

    sources: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    text_field: str | None = None
    encoder: str | None = None
    wait: bool = False
    seconds: float | None = None


@dataclass
class IndexReport:
    """What a run changed, and what there is now. files: looked at. pages_without_text: of the whole
    index, and the files that have them; can_read_pictures: whether there is a tesseract for them.
    pages_read_by_ocr, charsets_guessed: in this run; the latter are texts that are no UTF-8. left:
    files that there was no time to read."""

    files: int = 0
    unchanged: int = 0
    moved: int = 0
    read: int = 0
    left: int = 0
    removed: int = 0
    removed_documents: int = 0
    documents: int = 0
    passages: int = 0
    characters: int = 0
    pages_read_by_ocr: int = 0
    charsets_guessed: int = 0
    pages_without_text: int = 0
    files_with_such_pages: list[str] = field(default_factory=list)
    can_read_pictures: bool = field(default_factory=can_read_pictures)
    refused: int = 0
    refused_first: list[Refused] = field(default_factory=list)
    refused_by: dict[str, int] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=dict)
    encoder: str | None = None
    vectors: int = 0
    passed_over: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        found = dict(vars(self))
        found["refused_first"] = [one._asdict() for one in self.refused_first]
        return found


def make_index(request: IndexRequest, folder: Path, progress: Progress) -> IndexReport:
    """Bring the index in `folder` up to date.

    Raises UsageError for a source or model that is not there, before anything is written, and
    HornbookError where another process writes.
    """
    asked = [source_of(source) for source in request.sources]
    if not asked and not Store.is_there(folder):
        raise UsageError("Name the files or folders to be indexed.")
    before = KeptSources.in_folder(folder)
    kept = before.without(request.remove).added(asked)
    passed: list[str] = []
    sources = asked or ([] if request.remove else [source_of(place) for place in kept.places])
    now = files_now(sources, before.places, kept.excluded, lambda path: passed.append(str(path)))
    check_encoder(request.encoder)
    with entering(folder, Claim("index"), *_OWN):
        with IndexWriter(folder) as writer:
            run = _Run(writer, progress, request.text_field, request.seconds)
            report = run.all(SourcesNow(kept, sources, now, request.remove))
            report.passed_over = passed
            report.encoder = settle_encoder(writer.store, request.encoder)
            writer.commit()
        if not report.encoder:
            learn_to_refuse(folder, progress)
        elif request.wait:
            finish(folder, progress)
        else:
            finish_aside(folder)
    store = Store.open(folder)
    report.vectors = int(store.execute("SELECT count(*) FROM vectors").fetchone()[0])
    store.close()
    return report


class SourcesNow(NamedTuple):
    """What the index is made from now on; where was looked, and the files there; what is to be
    taken out."""

    kept: KeptSources
    sources: list[DocumentSource]
    files: list[FileNow]
    remove: tuple[str, ...]


class _Run:
    """One run of the indexing."""

    def __init__(
        self,
        writer: IndexWriter,
        progress: Progress,
        text_field: str | None,
        seconds: float | None,
    ) -> None:
        self.writer, self.progress, self.text_field = writer, progress, text_field
        self.report = IndexReport()
        self._away: list[Refused] = []
        self._committed = self._searchable = time.monotonic()
        self._until = self._committed + (math.inf if seconds is None else seconds)

    def all(self, asked: SourcesNow) -> IndexReport:
        """Remove, compare, read; the word index last."""
        had = self.writer.files()
        gone = self._removed(asked.remove, had)
        asked.kept.keep(self.writer.store)
        self.writer.commit()
        had = {path: file for path, file in had.items() if path not in gone}
        self._update(asked, had)
        self._find()
        return self._told()

    def _removed(self, remove: Sequence[str], had: dict[str, IndexedFile]) -> set[str]:
        """Take out what was asked for."""
        found: set[str] = set()
        for given in remove:
            root = source_of(given).root
            own = {path for path in had if is_below(path, root)}
            if not own and root not in KeptSources.of(self.writer.store).places:
                raise UsageError(f"{given} is not in the index. {nearest(root, had, 10)}")
            found |= own
        self._remove(found)
        return found

    def _remove(self, paths: set[str]) -> None:
        self.report.removed_documents += self.writer.remove(paths)
        self.report.removed += len(paths)
        self.writer.commit()

    def _update(self, asked: SourcesNow, had: dict[str, IndexedFile]) -> None:
        """Compare what is there with what the index has, and read what is new."""
        self.report.files = len(asked.files)
        here = {file.path for file in asked.files}
        searched = [source.root for source in asked.sources]
        gone = {
            path: file
            for path, file in had.items()
            if path not in here and any(is_below(path, root) for root in searched)
        }
        wanted = self._changed(asked.files, had, gone)
        self._remove(set(gone))
        size = sum(size_of(file.file) for file, _, _ in wanted) / 1e6
        with self.progress.bar("reading", size, "MB") as go:
            for number, (file, found, known) in enumerate(wanted):
                if time.monotonic() > self._until:
                    self.report.left += len(wanted) - number
                    break
                self._read(file, found, known, go)

    def _changed(
        self, now: list[FileNow], had: dict[str, IndexedFile], gone: dict[str, IndexedFile]
    ) -> list[tuple[FileNow, FoundFile, IndexedFile | None]]:
        """The files to read. A file that was only moved takes its documents along."""
        by_hash = {file.hash: file for file in gone.values() if file.whole}
        wanted = []
        for file in now:
            known = had.get(file.path)
            if known and known.whole and file.stamp and known.stamp == file.stamp:
                self.report.unchanged += 1
                continue
            found = file.hashed()
            same = known if known and known.hash == found.hash else None
            if known is None and (moved := by_hash.pop(found.hash, None)):
                del gone[moved.path]
                self.writer.touch(moved.id, found)
                self.report.moved += 1
            elif same and same.whole:
                self.writer.touch(same.id, found)
                self.report.unchanged += 1
            else:
                wanted.append((file, found, same))
        self.writer.commit()
        return wanted

    def _read(
        self, file: FileNow, found: FoundFile, known: IndexedFile | None, go: Advance
    ) -> None:
        """Take the records of a file over. known: where a run that was stopped began with it."""
        number, done = (known.id, known.records) if known else (self.writer.begin(found), 0)
        whole, left = True, size_of(file.file) / 1e6
        for item in islice(self._items(file), done, None):
            if isinstance(item, Rejection) and item.reason == _AWAY:
                self._away.append(Refused(item.file, None, item.reason, item.detail))
                whole = False
                continue
            self.writer.take(number, item)
            if isinstance(item, Document):
                self.report.pages_read_by_ocr += item.metadata.get(READ_BY_OCR, 0)
                self.report.charsets_guessed += item.metadata.get(CHARSET_GUESSED, 0)
                step = min(left, len(item.text) / 1e6)  # of one file, about
                left -= step
                go(step)
            if time.monotonic() - self._committed > _COMMIT_S:
                self._commit()
            if time.monotonic() > self._until:
                whole = False
                self.report.left += 1
                break
        if whole:
            self.writer.end(number, found)
        self.report.read += 1
        go(left)

    def _items(self, file: FileNow) -> Iterator[Document | Rejection]:
        try:
            read = with_charset_guessed(read_file(file.file, self.text_field), file.file)
            yield from with_pictures_read(read, file.file)
        except HornbookError as error:  # a store that cannot be reached now
            yield Rejection(file.path, None, _AWAY, str(error), size_of(file.file))

    def _commit(self) -> None:
        if time.monotonic() - self._searchable > _SEARCHABLE_S:
            self.writer.catch_up()
            self._searchable = time.monotonic()
        else:
            self.writer.commit()
        self._committed = time.monotonic()

    def _find(self) -> None:
        """Let all be found by words."""
        behind = self.writer.store.execute(
            "SELECT count(*) FROM passages JOIN documents ON documents.id = document "
            "WHERE generation > ?",
            (self.writer.words.generation_of(self.writer.store),),
        ).fetchone()[0]
        with self.progress.bar("words", behind, "passages") as go:
            self.writer.catch_up(go)

    def _told(self) -> IndexReport:
        """What there is now."""
        report, ask = self.report, self.writer.store.execute
        report.documents, report.characters = ask(
            "SELECT count(*), coalesce(sum(characters), 0) FROM documents"
        ).fetchone()
        (report.passages,) = ask("SELECT count(*) FROM passages").fetchone()
        blank = ask(
            "SELECT path, pages_without_text FROM files WHERE pages_without_text > 0 ORDER BY path"
        ).fetchall()
        report.pages_without_text = sum(pages for _, pages in blank)
        report.files_with_such_pages = [path for path, _ in blank]
        rows = ask(
            "SELECT path, line, reason, detail FROM quarantine JOIN files ON files.id = file "
            "ORDER BY path, line"
        )
        refused = [*self._away, *(Refused(*row) for row in rows)]
        report.refused, report.refused_first = len(refused), refused[:_NAMED]
        report.refused_by = dict(Counter(one.reason for one in refused).most_common())
        report.languages = dict(
            ask("SELECT language, count(*) FROM documents GROUP BY language ORDER BY 2 DESC")
        )
        return report


_AWAY = "out of reach"
"""The reason of a file that is tried again by the next run."""
