"""All text of a corpus, made ready to be asked where a passage stands in it.

A folder of pieces, each some documents with their suffix array, so that memory stays bounded; and
for every document, or section that was split apart, where it begins and on which side it is.
"""

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.core.progress import Progress
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.document_files import read_documents, read_parquet, read_tags
from hornbook.corpus.split import Side
from hornbook.explain.suffix_array import SuffixArray, write_suffix_array

PIECE_BYTES = 2**28
"""Text sorted at once: it takes five times as much memory. A longer document is a piece alone."""
_BETWEEN = b"\xff"
"""Between documents; no text in UTF-8 holds it, so that nothing is found across two of them."""
_PARTS = "parts.parquet"


class PlaceOfText(NamedTuple):
    """offset: character of the document. page: from 1, where the document has pages.

    side: where the passage was when the corpus was split: "train", "validation", or "both".
    copies: how often one pass of training reads it.
    """

    document: str
    source: str
    page: int | None
    offset: int
    side: str
    copies: int


class _Part(NamedTuple):
    """Of a document. start: byte of the piece. first: character of the document."""

    start: int
    first: int
    document: str
    source: str
    side: Side
    copies: int
    pages: list[int]


class TracedText:
    """The text of a corpus with its suffix arrays. Written with `write`, opened with `open`."""

    def __init__(self, pieces: list["_TextPiece"]) -> None:
        self._pieces = pieces

    @classmethod
    def write(cls, corpus: Corpus, folder: Path, progress: Progress) -> None:
        """Into an existing folder."""
        size = corpus.bytes("train") + corpus.bytes("validation")
        with progress.bar("sorting all places of the text", size, "B") as advance:
            for number, (text, parts) in enumerate(_pieces(corpus, PIECE_BYTES)):
                piece = folder / f"{number:05d}"
                piece.mkdir()
                write_suffix_array(text, piece)
                _write_parts(parts, piece / _PARTS)
                advance(len(text))

    @classmethod
    def open(cls, folder: Path) -> "TracedText":
        """Raises HornbookError for a file that is missing or damaged."""
        return cls([_TextPiece(path) for path in sorted(folder.glob("[0-9]*"))])

    def longest(self, pattern: bytes) -> int:
        """How many of the first bytes of `pattern` stand somewhere in a document."""
        return max(piece.array.longest(pattern) for piece in self._pieces)

    def places(self, text: str, most: int) -> tuple[int, int, list[PlaceOfText]]:
        """How often a text stands in documents, how often on the held-out side alone, and the first
        places."""
        pattern, times, held_out = text.encode(), 0, 0
        found: list[PlaceOfText] = []
        for piece in self._pieces:
            places = piece.array.places(pattern)
            times += len(places)
            held_out += piece.held_out(places)
            wanted = min(most - len(found), len(places))
            if wanted > 0:
                first = np.sort(np.partition(places, wanted - 1)[:wanted])
                found += [piece.locate(place, pattern) for place in first.tolist()]
        return times, held_out, found


class _TextPiece:
    """Some documents, one behind the other."""

    def __init__(self, folder: Path) -> None:
        self.array = SuffixArray.open(folder)
        columns = read_parquet(folder / _PARTS).to_pydict()
        self._parts = [_Part(*row) for row in zip(*columns.values(), strict=True)]
        self._starts = np.array(columns["start"])
        self._held = np.array([part.side == "validation" for part in self._parts])

    def held_out(self, places: np.ndarray) -> int:
        return int(self._held[np.searchsorted(self._starts, places, side="right") - 1].sum())

    def locate(self, place: int, pattern: bytes) -> PlaceOfText:
        first, last = (
            self._parts[int(np.searchsorted(self._starts, at, side="right")) - 1]
            for at in (place, place + len(pattern) - 1)
        )
        offset = first.first + len(self.array.text[first.start : place].decode())
        page = bisect_right(first.pages, offset) if first.pages else None
        side = first.side if first.side == last.side else "both"
        return PlaceOfText(first.document, first.source, page, offset, side, first.copies)


def _pieces(corpus: Corpus, most: int) -> Iterator[tuple[bytearray, list[_Part]]]:
    """Text of about `most` bytes, and its parts in order."""
    text, parts = bytearray(), list[_Part]()
    tags = read_tags(corpus.folder)
    for document, tag in zip(read_documents(corpus.folder), tags, strict=True):
        if parts and len(text) + tag.size > most:
            yield text, parts
            text, parts = bytearray(), []
        first = 0
        for part, side in corpus.split.parts(document, tag.split):
            pages = document.metadata.get("pages") or []
            row = (len(text), first, document.id, document.source, side, tag.copies, pages)
            parts.append(_Part(*row))
            text += part.text.encode()
            first += len(part.text)
        text += _BETWEEN
    if parts:
        yield text, parts


def _write_parts(parts: list[_Part], path: Path) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    pages = arrow.list_(arrow.int64())
    columns: dict[str, Any] = dict(
        zip(_Part._fields, map(list, zip(*parts, strict=True)), strict=True)
    )
    columns["pages"] = arrow.array(columns["pages"], pages)
    parquet.write_table(arrow.table(columns), path)
