"""Plain texts that are no UTF-8, in the charset that their bytes look like.

A corpus refuses them, since nobody would see a wrong guess among its many texts. Who asks their own
documents would rather have them; how many were guessed is said.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hornbook.core.guarded import Values, step
from hornbook.read.documents import CONTROLS, REPLACED, Document, Rejection
from hornbook.read.formats.decode import decode_labelled, newlines, without_controls
from hornbook.read.formats.text import split_front_matter
from hornbook.read.locations import AnyPath, RemoteFile
from hornbook.read.sources import format_of, name_of, read_guarded, size_of

CHARSET_GUESSED = "charset_guessed"
"""In the metadata: that it was."""
_MARKDOWN = (".md", ".markdown")
_PLAIN = (".txt", ".text", ".rst", *_MARKDOWN)
_LARGEST = 32 * 2**20
_WRONG = 0.01
"""Share of a text's characters that may be none in the charset."""
_WORDS = 0.75
"""Share of them that are letters, digits or white space in any text."""


def with_charset_guessed(
    items: Iterator[Document | Rejection], path: AnyPath
) -> Iterator[Document | Rejection]:
    """What was read of a file; where its first record is no UTF-8, the whole of it as a document,
    if there is a charset that fits."""
    first = next(items, None)
    if isinstance(first, Rejection) and first.reason == "not UTF-8" and _may_be_guessed(path):
        found = list(read_guarded(read_guessed, path))
        if len(found) == 1 and not isinstance(found[0], Rejection):
            yield _document(path, *found[0])
            return
    if first is not None:
        yield first
        yield from items


def _may_be_guessed(path: AnyPath) -> bool:
    plain = path.suffix.lower() in _PLAIN and not isinstance(path, RemoteFile)
    return plain and size_of(path) <= _LARGEST


def _document(path: AnyPath, values: Any, text: str) -> Document:
    replaced, controls = values
    metadata = {REPLACED: replaced, CONTROLS: controls, CHARSET_GUESSED: True}
    metadata = {name: value for name, value in metadata.items() if value}
    if format_of(path) in _MARKDOWN:
        text, more = split_front_matter(text)
        metadata |= more
    return Document(f"{name_of(path)}:0", text, name_of(path), metadata=metadata)


def read_guessed(place: str) -> Iterator[Values]:
    """How many characters were replaced and how many controls taken out, and the text; nothing
    where no charset fits. For the process that is guarded."""
    data = Path(place).read_bytes()
    if step(len(data)) or b"\0" in data:
        return
    found = decode_labelled(data)
    words = sum(letter.isalnum() or letter.isspace() for letter in found.text)
    if found.replaced <= _WRONG * len(found.text) and words >= _WORDS * len(found.text):
        text, controls = without_controls(newlines(found.text))
        yield [found.replaced, controls], text
