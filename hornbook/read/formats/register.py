"""The suffixes and who reads them: a reader enters itself, and importing the package finds it.

A reader is `read(stream, source) -> Iterator[Document | Rejection]`; ids are given later. Readers
of records, which have named fields, take the name of the text field as well, or None. Readers of
archives are given the file packed as it is, since one broken member of many must cost only itself.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from hornbook.read.documents import Document, Rejection

Reader = Callable[[BinaryIO, str], Iterator[Document | Rejection]]
RecordReader = Callable[[BinaryIO, str, str | None], Iterator[Document | Rejection]]

READERS: dict[str, Reader] = {}
RECORD_READERS: dict[str, RecordReader] = {}
ARCHIVE_READERS: dict[str, Reader] = {}

_Any = TypeVar("_Any", Reader, RecordReader)


def reads(*suffixes: str) -> Callable[[Reader], Reader]:
    """Decorates the reader of files with these suffixes, in lower case and with their dot."""
    return _entering(READERS, suffixes)


def reads_records(*suffixes: str) -> Callable[[RecordReader], RecordReader]:
    """Decorates a reader of records."""
    return _entering(RECORD_READERS, suffixes)


def reads_archives(*suffixes: str) -> Callable[[Reader], Reader]:
    """Decorates a reader of archives."""
    return _entering(ARCHIVE_READERS, suffixes)


def _entering(table: dict[str, _Any], suffixes: tuple[str, ...]) -> Callable[[_Any], _Any]:
    def enter(reader: _Any) -> _Any:
        for suffix in suffixes:
            taken = {*READERS, *RECORD_READERS, *ARCHIVE_READERS}
            assert suffix not in taken, f"two readers read {suffix}"
            table[suffix] = reader
        return reader

    return enter
