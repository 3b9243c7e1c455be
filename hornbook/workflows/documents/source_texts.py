"""Documents to work on, wherever they are: standard input, a file, a folder, or an index."""

from collections.abc import Iterator
from pathlib import Path

from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
from hornbook.read.documents import Document
from hornbook.read.sources import find_files, read_file
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.store import FILE
from hornbook.workflows.documents.summarize import SourceText


def source_texts(place: Path, progress: Progress) -> list[SourceText]:
    """All documents of a file, a folder or an index; what cannot be read is named.

    Raises UsageError for a place that does not exist or holds nothing that can be read.
    """
    found = list(_indexed(place) if is_index(place) else _read(place, progress))
    if not found:
        raise UsageError(f"{place} holds no document that can be read.")
    return found


def is_index(place: Path) -> bool:
    """Whether a folder is an index of documents."""
    return (place / FILE).is_file()


def _indexed(place: Path) -> Iterator[SourceText]:
    with DocumentIndex.open(place) as index:
        for one in index.documents():
            yield SourceText(one.id, one.source, index.text(one.id), one.title, one.pages)


def _read(place: Path, progress: Progress) -> Iterator[SourceText]:
    number = 0
    for file in find_files([place]):
        for item in read_file(file):
            if not isinstance(item, Document):
                progress.say(f"left out: {item}")
                continue
            number += 1
            title = item.metadata.get("title")
            pages = item.metadata.get("pages") or ()
            name = title if isinstance(title, str) else ""
            yield SourceText(number, str(file), item.text, name, pages)
