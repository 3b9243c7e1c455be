"""What files are before anything is made of them: how many, of which formats, what they begin with.

Only the first files are opened, for a few seconds at most.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import UsageError
from hornbook.corpus.language import language_of
from hornbook.read.documents import Rejection
from hornbook.read.locations import is_local
from hornbook.read.sources import find_files, format_of, read_file, size_of

_FILES, _DOCUMENTS, _SECONDS, _EXCERPT = 12, 6, 4.0, 320


class Excerpt(NamedTuple):
    """The beginning of a document. language: ISO 639, "" where it is not told."""

    source: str
    text: str
    characters: int
    language: str


class Understood(NamedTuple):
    """formats: files by suffix. looked_at: files that were opened. refused: (file, reason)."""

    files: int
    bytes: int
    formats: list[tuple[str, int]]
    looked_at: int
    documents: list[Excerpt]
    refused: list[tuple[str, str]]


def checked_sources(text: str) -> list[str]:
    """Paths, one a line, as absolute ones. Raises UsageError for none, or one that is no path of
    this machine: nothing is fetched from a page."""
    found = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        if not is_local(line):
            raise UsageError(f"{line[:200]} is no path on this machine.")
        path = Path(line).expanduser()
        if not path.is_absolute():
            raise UsageError(f"{line[:200]}: give the whole path, from the root of the disk.")
        found.append(str(path))
    if not found:
        raise UsageError("Say which files or folders, or bring some.")
    return found


def understand(
    sources: Sequence[str], found_more: Callable[[int], None] = lambda files: None
) -> Understood:
    """What the sources are. found_more: is told of files as they are found.

    Raises UsageError for a source that is not there, or holds nothing.
    """
    files, began = find_files(sources, found_more=found_more), time.monotonic()
    formats = Counter(format_of(file) or file.name for file in files).most_common(8)
    documents: list[Excerpt] = []
    refused: list[tuple[str, str]] = []
    looked_at = 0
    for file in files[:_FILES]:
        if len(documents) >= _DOCUMENTS or time.monotonic() - began > _SECONDS:
            break
        looked_at += 1
        for item in read_file(file):
            if isinstance(item, Rejection):
                refused.append((Path(str(item.file)).name, item.reason))
            else:
                language = language_of(item.text[:5000]).code
                short = item.text[:_EXCERPT]
                documents.append(Excerpt(file.name, short, len(item.text), language))
            if len(documents) >= _DOCUMENTS:
                break
    total = sum(size_of(file) or 0 for file in files)
    return Understood(len(files), total, formats, looked_at, documents, refused[:5])
