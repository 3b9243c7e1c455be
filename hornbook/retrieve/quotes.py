"""Quotes: text of an index by its place. Nobody writes one; it is read from the store.

What a model points at are places, so that a quote cannot be false: `quote` reads it, and is
`verified` because the same characters were read again where the quote says that they stand.
"""

import re
from typing import Any, NamedTuple, Protocol

from hornbook.retrieve.matching import find, plain
from hornbook.retrieve.sentences import Span
from hornbook.retrieve.store import IndexedDocument


class QuotedTexts(Protocol):
    """What is asked of an index."""

    def document(self, id: int) -> IndexedDocument: ...

    def text(self, document: int, start: int = 0, end: int | None = None) -> str: ...

    def page(self, document: int, offset: int) -> int | None: ...


class TextPlace(NamedTuple):
    """Characters of a document of an index."""

    document: int
    start: int
    end: int


class Quote(NamedTuple):
    """What stands at a place. document: its number. record: its number in its file, from 1. page:
    from 1, where there are pages.

    verified: the text is, character by character, the document's from `start` up to `end`.
    """

    text: str
    document: int
    source: str
    record: int
    page: int | None
    start: int
    end: int
    verified: bool

    @property
    def place(self) -> TextPlace:
        return TextPlace(self.document, self.start, self.end)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return self._asdict()


_BREAK = re.compile(r"\s+")
_CLOSE = "\u3000-\u303f\u3400-\u9fff\uff00-\uffef"
_SPACE_INSIDE = re.compile(f"(?<=[{_CLOSE}]) (?=[{_CLOSE}])")


def one_line(text: str) -> str:
    """A text as it is shown to people: on one line, without breaks inside of Chinese."""
    return _SPACE_INSIDE.sub("", _BREAK.sub(" ", text).strip())


def quote(index: QuotedTexts, place: TextPlace) -> Quote:
    """The text at a place. Raises UsageError where the index has no such document."""
    document = index.document(place.document)
    text = index.text(*place)
    whole = 0 <= place.start < place.end <= document.characters
    return Quote(
        text=text,
        document=place.document,
        source=document.source,
        record=document.record,
        page=index.page(place.document, place.start),
        start=place.start,
        end=place.end,
        verified=whole and len(text) == place.end - place.start,
    )


def is_verbatim(index: QuotedTexts, one: Quote) -> bool:
    """Whether a quote's text stands where it says."""
    return bool(one.text) and index.text(*one.place) == one.text


def locate(
    index: QuotedTexts, document: int, wanted: str, within: Span | None = None
) -> TextPlace | None:
    """Where a document says what is wanted, whatever its breaks, hyphens and forms of characters;
    None where it does not."""
    start, end = within or (0, None)
    found = find(plain(index.text(document, start, end)), wanted)
    return None if found is None else TextPlace(document, start + found.start, start + found.end)
