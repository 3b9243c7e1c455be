"""From paths to documents: find the files, choose the reader, keep what cannot be read by name."""

import dataclasses
import difflib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from hornbook.core.claims import marker_of
from hornbook.core.errors import UsageError
from hornbook.core.files import hash_stream
from hornbook.core.guard import GaveUp, guarded
from hornbook.core.guarded import Values
from hornbook.read import pydocs
from hornbook.read.documents import CONTROLS, Document, Rejection, unstorable
from hornbook.read.formats import (
    ARCHIVE_READERS,
    CHECKED,
    MAILDIR,
    READERS,
    RECORD_READERS,
)
from hornbook.read.formats.decode import is_text, without_controls
from hornbook.read.formats.lines import BROKEN, fault_of
from hornbook.read.formats.mail import is_letter
from hornbook.read.formats.packed import PACKINGS, unpack
from hornbook.read.locations import AnyPath, RemoteFile, is_local, list_remote, local_path, unite
from hornbook.read.remote import clean

PYTHON_DOCS = "python-docs"
"""The name of the source that is on every machine with Python."""

_OWN = ("memory://",)
"""Stores that are nowhere but in this process."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DETAIL = 300
"""Characters of a rejection's detail: enough to see what is wrong."""


def find_files(
    sources: Sequence[str | Path],
    pass_over: Callable[[Path], None] = lambda folder: None,
    found_more: Callable[[int], None] = lambda files: None,
) -> list[AnyPath]:
    """All files of the sources, sorted; hidden ones and those behind links to folders are left out.

    So are folders in a source that Hornbook wrote, results being no text: `pass_over` is told each,
    and `found_more` how many files each folder holds, as it is looked into.

    A source is a path, or a URL as text (see `locations`); the files of stores come last. A folder
    that may not be entered stands in the list itself, so that reading it is refused by name.
    Raises UsageError for a path that does not exist or a source without any file, and HornbookError
    for a store that cannot be reached.
    """
    found: list[Path] = []
    remote: list[RemoteFile] = []
    for source in sources:
        files = (
            _files_of(local_path(source), pass_over, found_more)
            if is_local(source)
            else list_remote(str(source))
        )
        if not files:
            raise UsageError(f"{clean(str(source))} holds no files.")
        found += [file for file in files if isinstance(file, Path)]
        remote += [file for file in files if isinstance(file, RemoteFile)]
    # By parts, as paths are ordered, and several times as fast as paths compare themselves.
    return [*sorted(set(found), key=lambda path: path.parts), *unite(remote)]


def _files_of(
    source: Path, pass_over: Callable[[Path], None], found_more: Callable[[int], None]
) -> Sequence[Path]:
    if not source.exists():
        raise UsageError(f"{source} does not exist.{_neighbour(source)}")
    if not source.is_file() and not source.is_dir():
        raise UsageError(f"{source} is neither a file nor a folder.")
    return [source] if source.is_file() else _walk(source, pass_over, found_more)


def _neighbour(path: Path) -> str:
    """The closest name beside a path that does not exist, if one is close."""
    folder = path.absolute().parent
    names = [other.name for other in folder.iterdir()] if folder.is_dir() else []
    close = difflib.get_close_matches(path.name, names, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _walk(
    folder: Path, pass_over: Callable[[Path], None], found_more: Callable[[int], None]
) -> list[Path]:
    files: list[Path] = []
    waiting = [str(folder)]
    while waiting:
        where = waiting.pop()
        try:
            with os.scandir(where) as listed:
                entries = [entry for entry in listed if not entry.name.startswith(".")]
        except OSError:
            files.append(Path(where))
            continue
        before = len(files)
        below = []
        for entry in entries:  # which know what they are: asking the disk anew takes far longer
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # reading it says why, but for a link that leads nowhere
                is_folder, is_file = False, not entry.is_symlink()
            if is_file:
                files.append(Path(entry.path))
            elif is_folder and not entry.is_symlink():
                below.append(entry.path)
        found_more(len(files) - before)
        for place in sorted(below):
            if marker_of(Path(place)) is None:
                waiting.append(place)
            else:
                pass_over(Path(place))
    return files


def fingerprint(files: Sequence[AnyPath], with_pydocs: bool) -> list[str]:
    """What decides the result of reading: every file's name and content.

    A store's own mark of the content is taken where it has one, so that nothing is fetched twice.
    Raises HornbookError when a remote file without one cannot be read.
    """
    names = [f"{name_of(file)}:{content_mark(file)}" for file in files]
    return names + ([pydocs.fingerprint()] if with_pydocs else [])


def content_mark(file: AnyPath) -> str:
    """What changes with a file's content: its store's own mark, else a hash; why it cannot be
    read, where it cannot."""
    if isinstance(file, RemoteFile) and file.version:
        return file.version
    try:
        with file.open("rb") as stream:
            return hash_stream(stream)
    except OSError as error:
        return str(error.strerror)


def name_of(path: AnyPath) -> str:
    """The path as text that can be written anywhere: names need not be UTF-8.

    A URL is given without what may be secret: user, password and the query.
    """
    return _printable(str(path))


def size_of(path: AnyPath) -> int:
    """Bytes on the disk or in the store; 0 where they are not known or no longer there."""
    if isinstance(path, RemoteFile):
        return path.size or 0
    try:
        return path.stat().st_size
    except OSError:
        return 0


def format_of(path: AnyPath) -> str:
    """The suffix that decides how a file is read, without .gz or .zst."""
    name = PurePath(path.name)
    inner = name.with_suffix("") if name.suffix.lower() in PACKINGS else name
    return inner.suffix.lower()


def read_file(path: AnyPath, text_field: str | None = None) -> Iterator[Document | Rejection]:
    """The documents of one file with their ids, and a rejection for each record that is broken.

    text_field: where JSON Lines and tables have their text. The file is read in a guarded process:
    a record that takes too much time or memory, or crashes its reader, costs itself.
    Raises HornbookError when a remote file cannot be had whole: that is no fault of a record.
    """
    for item in read_guarded(items_of, path, text_field):
        if isinstance(item, Rejection):
            yield item
        else:
            values, text = item
            yield Rejection(*values[1:]) if values[0] else _restored(values[1:], text)


def read_guarded(
    work: Callable[..., Iterator[Values]], path: AnyPath, *arguments: Any
) -> Iterator[tuple[Any, str] | Rejection]:
    """What a function of a module makes of a file, in a guarded process (see `core.guard`).

    It is called with the file's place (`path_at`) and the arguments, which are plain data. A file
    that ends the process where nothing of it can be left out gives a rejection at its end.
    """
    size, remote = size_of(path), isinstance(path, RemoteFile)
    if isinstance(path, RemoteFile):
        place: str | dict[str, Any] = dataclasses.asdict(path)
        if path.source.startswith(_OWN):
            yield from ((values, text) for values, text, *_ in work(place, *arguments))
            return
    else:
        place = str(path)
    name = f"{work.__module__}:{work.__name__}"
    try:
        yield from guarded(name, [place, *arguments], size, patient=remote)
    except GaveUp as end:
        fault = end.fault
        after = f"; what follows record {end.given:,} is lost" if end.given else ""
        yield Rejection(name_of(path), None, fault.reason, fault.detail + after, size)


def path_at(place: str | dict[str, Any]) -> AnyPath:
    """The file at a place as `read_guarded` names it."""
    return Path(place) if isinstance(place, str) else RemoteFile(**place)


def items_of(place: str | dict[str, Any], text_field: str | None) -> Iterator[Values]:
    """What `read_here` gives, as plain data, for the process that is guarded."""
    for item in read_here(path_at(place), text_field):
        if isinstance(item, Rejection):
            yield [True, item.file, item.line, item.reason, item.detail, item.size], ""
        else:
            yield [False, item.id, item.source, item.added, item.created, item.metadata], item.text


def _restored(values: list[Any], text: str) -> Document:
    id, source, added, created, metadata = values
    return Document(id, text, source, added, created, metadata)


def read_here(
    path: AnyPath,
    text_field: str | None = None,
    advance: Callable[[int], None] = lambda bytes_read: None,
) -> Iterator[Document | Rejection]:
    """As `read_file`, in this process and without limits. advance: told of bytes read on disk."""
    name, count, item = name_of(path), 0, None
    checked = format_of(path) in CHECKED
    for item in _read(path, name, text_field, advance):
        if not checked and isinstance(item, Document) and (problem := unstorable(item)):
            item = Rejection(name, None, "not Unicode", problem)
        if isinstance(item, Document):
            item = _without_controls(item)
        if isinstance(item, Rejection):
            size = size_of(path) if item.line is None else item.size
            yield dataclasses.replace(item, detail=_printable(item.detail)[:_DETAIL], size=size)
        else:
            yield dataclasses.replace(item, id=f"{name}:{count}")
            count += 1
    if item is None:
        yield Rejection(name, None, "empty", "the file holds no record", size_of(path))


def _without_controls(document: Document) -> Document:
    """What no reader lets through: controls and noncharacters; how many there were is kept."""
    text, lost = without_controls(document.text)
    metadata = document.metadata
    for key, value in metadata.items():
        if isinstance(value, str) and not value.isprintable():
            metadata = {**metadata, key: without_controls(value)[0]}
    if lost:
        metadata = {**metadata, CONTROLS: lost}
    if text is document.text and metadata is document.metadata:
        return document
    return dataclasses.replace(document, text=text, metadata=metadata)


def _read(
    path: AnyPath, name: str, text_field: str | None, advance: Callable[[int], None]
) -> Iterator[Document | Rejection]:
    try:
        with path.open("rb") as raw:
            done = 0
            for item in _choose(raw, path, name, text_field):
                yield item
                if raw.tell() - done > 2**20:  # a bar that moves at each record costs more time
                    advance(raw.tell() - done)
                    done = raw.tell()
            advance(raw.tell() - done)
    except BROKEN as error:
        yield Rejection(name, None, *fault_of(error))


def _choose(
    raw: BinaryIO, path: AnyPath, name: str, text_field: str | None
) -> Iterator[Document | Rejection]:
    """Read with the reader of the suffix; without one, what looks like text is read as text."""
    kind = format_of(path)
    if kind in ARCHIVE_READERS:
        return ARCHIVE_READERS[kind](raw, name)
    stream = unpack(raw, path.suffix.lower())
    if kind in RECORD_READERS:
        return RECORD_READERS[kind](stream, name, text_field)
    if kind in READERS:
        return READERS[kind](stream, name)
    start = stream.read(2**16)
    stream.seek(0)
    if MAILDIR.fullmatch(str(path)) and is_letter(start):
        return READERS[".eml"](stream, name)
    if is_text(start):
        return READERS[".txt"](stream, name)
    return iter([Rejection(name, None, "unsupported format", kind or "no suffix")])


def _printable(text: str) -> str:
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
