"""The files of sources as they are now, and whether they are what the index has of them."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import UsageError
from hornbook.read.locations import AnyPath, RemoteFile, is_local, local_path
from hornbook.read.sources import content_mark, find_files, name_of, size_of
from hornbook.retrieve.store import Store
from hornbook.retrieve.writer import FoundFile

_YOUNG_NS = 2 * 10**9
"""A file that was written so shortly before it was looked at may be written again unseen: clocks
of disks are coarse."""


class DocumentSource(NamedTuple):
    """Where files are looked for. place: as it is read; root: as the index has it."""

    place: str
    root: str


def source_of(given: str) -> DocumentSource:
    """A source with its whole path, so that it means the same from every folder."""
    if not is_local(given):
        return DocumentSource(given, given)
    place = os.path.abspath(local_path(given))  # noqa: PTH100  links stay as they are named
    return DocumentSource(place, place)


def is_below(path: str, root: str) -> bool:
    """Whether a file is a source or in it."""
    bare = root.rstrip("/" + os.sep)
    return path == root or path.startswith((f"{bare}/", bare + os.sep))


class KeptSources(NamedTuple):
    """What an index was made from. excluded: what was taken out of a source that stays."""

    places: list[str]
    excluded: list[str]

    @classmethod
    def of(cls, store: Store) -> "KeptSources":
        """Those of an index."""
        return cls(*(store.setting(_KEPT) or ([], [])))

    @classmethod
    def in_folder(cls, folder: Path) -> "KeptSources":
        """Those of the index in a folder; none where there is no index."""
        if not Store.is_there(folder):
            return cls([], [])
        store = Store.open(folder)
        try:
            return cls.of(store)
        finally:
            store.close()

    def keep(self, store: Store) -> None:
        """Note them in an index."""
        store.keep(_KEPT, self)

    def added(self, asked: Sequence["DocumentSource"]) -> "KeptSources":
        """With more sources; what is named is excluded no longer."""
        roots = [source.root for source in asked]
        excluded = [one for one in self.excluded if not any(is_below(r, one) for r in roots)]
        places = dict.fromkeys([*self.places, *(source.place for source in asked)])
        return KeptSources(list(places), excluded)

    def without(self, removed: Sequence[str]) -> "KeptSources":
        """Without what was taken out."""
        roots = [source_of(given).root for given in removed]
        places = [place for place in self.places if not any(is_below(place, r) for r in roots)]
        inside = [root for root in roots if any(is_below(root, place) for place in places)]
        return KeptSources(places, list(dict.fromkeys([*self.excluded, *inside])))


_KEPT = "sources"


class FileNow(NamedTuple):
    """A file that is there. file: to read it."""

    file: AnyPath
    path: str
    root: str
    stamp: str
    modified: str

    def hashed(self) -> FoundFile:
        """With the fingerprint of its content, which is read for it."""
        return FoundFile(
            self.path, self.root, size_of(self.file), self.stamp, content_mark(self.file),
            self.modified,
        )  # fmt: skip


def files_now(
    sources: Sequence[DocumentSource],
    known: Sequence[str],
    excluded: Sequence[str],
    pass_over: Callable[[Path], None],
) -> list[FileNow]:
    """The files of sources that are there now, but for those that are excluded.

    known: sources that may hold no files any more, or be gone. Raises UsageError for others.
    """
    found: dict[str, FileNow] = {}
    for place, root in sources:
        try:
            files = find_files([place], pass_over)
        except UsageError:
            if place not in known:
                raise
            files = []
        for file in files:
            one = _now(file, root)
            found.setdefault(one.path, one)
    return [file for file in found.values() if not any(is_below(file.path, e) for e in excluded)]


def _now(file: AnyPath, root: str) -> FileNow:
    name = name_of(file)
    if isinstance(file, RemoteFile):
        return FileNow(file, name, root, file.version or "", "")
    try:
        facts = file.stat()
    except OSError:
        return FileNow(file, name, root, "", "")
    age = datetime.now(UTC).timestamp() * 1e9 - facts.st_mtime_ns
    parts = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)
    stamp = ":".join(map(str, parts)) if age > _YOUNG_NS else ""
    modified = datetime.fromtimestamp(facts.st_mtime, UTC).date().isoformat()
    return FileNow(file, name, root, stamp, modified)
