"""From paths to documents: find the files, choose the reader, keep what cannot be read by name.

Knows files and compression; what is in a format is `readers`' business.
"""

import dataclasses
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from hornbook.core.errors import UsageError
from hornbook.core.files import hash_file
from hornbook.corpus import pydocs
from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers import READERS
from hornbook.corpus.readers.decode import NotText, decode, encoding_of
from hornbook.corpus.readers.lines import BROKEN

PYTHON_DOCS = "python-docs"
"""The name of the source that is on every machine with Python."""


def find_files(sources: Sequence[Path]) -> list[Path]:
    """All files of the sources, sorted; hidden ones and those behind links to folders are left out.

    Raises UsageError for a path that does not exist or a source without any file.
    """
    found: list[Path] = []
    for source in sources:
        if not source.exists():
            raise UsageError(f"{source} does not exist.")
        files = [source] if source.is_file() else _walk(source)
        if not files:
            raise UsageError(f"{source} holds no files.")
        found += files
    return sorted(set(found))


def _walk(folder: Path) -> list[Path]:
    files = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            files.append(entry)
        elif entry.is_dir() and not entry.is_symlink():
            files += _walk(entry)
    return files


def fingerprint(files: Sequence[Path], with_pydocs: bool) -> list[str]:
    """What decides the result of reading: every file's name and content."""
    names = [f"{file}:{hash_file(file)}" for file in files]
    return names + ([pydocs.fingerprint()] if with_pydocs else [])


def read_file(path: Path) -> Iterator[Document | Rejection]:
    """The documents of one file with their ids, and a rejection for each record that is broken."""
    name, count = str(path), 0
    try:
        with _open(path) as stream:
            for item in _read(stream, path, name):
                if isinstance(item, Document):
                    item = dataclasses.replace(item, id=f"{name}:{count}")
                    count += 1
                yield item
    except BROKEN as error:
        reason = "broken gzip" if path.suffix == ".gz" else "unreadable file"
        yield Rejection(name, None, reason, str(error), path.stat().st_size)


def format_of(path: Path) -> str:
    """The suffix that decides how a file is read, without .gz."""
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    return inner.suffix.lower()


def _open(path: Path) -> BinaryIO:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    return cast(BinaryIO, opener(path, "rb"))


def _read(stream: BinaryIO, path: Path, name: str) -> Iterator[Document | Rejection]:
    reader = READERS.get(format_of(path))
    if reader is not None:
        yield from reader(stream, name)
        return
    start = stream.read(65536)
    stream.seek(0)
    if _is_text(start):
        yield from READERS[".txt"](stream, name)
    else:
        kind = format_of(path) or "no suffix"
        yield Rejection(name, None, "unsupported format", kind, path.stat().st_size)


def _is_text(start: bytes) -> bool:
    """Whether a file's first bytes are text; the last character may be cut."""
    try:
        cut = start if encoding_of(start) == "utf-16" else start[: max(0, len(start) - 3)]
        decode(cut or start)
    except NotText as error:
        return error.reason == "not UTF-8" and str(error).startswith(f"byte {len(start) - 3}")
    return True
