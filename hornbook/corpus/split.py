"""Training or validation: decided by a document's content alone.

A document is held out when its content hash lies below a threshold, so copies always fall on one
side and the order of files changes nothing. Where whole documents cannot give a fair split, long
documents are cut into sections, and the sections are split by their own hashes.
"""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError
from hornbook.read.documents import Document, content_hash

Side = Literal["train", "validation"]

_FEWEST_SECTIONS, _LONGEST_SECTION = 40, 2**16


class Split(Config):
    """threshold: hexadecimal; content hashes below it are held out.

    section: characters of the sections that documents are cut into, or None for whole documents.
    """

    threshold: str
    section: int | None = None

    def side(self, digest: str) -> Side:
        """Where the document or section with this content hash belongs."""
        return "validation" if digest < self.threshold else "train"

    def parts(self, document: Document, digest: str) -> Iterator[tuple[Document, Side]]:
        """The document, or its sections, each with its side."""
        if self.section is None:
            yield document, self.side(digest)
            return
        for part in sections(document, self.section):
            yield part, self.side(content_hash(part.text))


def sections(document: Document, size: int) -> Iterator[Document]:
    """Cut a document after about `size` characters, at a paragraph or else a line or a space."""
    text, start, number = document.text, 0, 0
    while start < len(text):
        stop = len(text)
        if stop - start > size * 3 // 2:
            cuts = (text.rfind(mark, start + size // 2, start + size) + len(mark) for mark in _CUTS)
            stop = next((c for c, mark in zip(cuts, _CUTS, strict=True) if c >= len(mark)), 0)
            stop = stop if stop > start else start + size
        yield dataclasses.replace(document, id=f"{document.id}/{number}", text=text[start:stop])
        start, number = stop, number + 1


_CUTS = ("\n\n", "\n", " ")


def choose_split(
    hashes: Sequence[str], sizes: Sequence[int], share: float, most: int
) -> Split | None:
    """The lowest hashes whose documents hold `share` of the bytes, at most about `most` bytes.

    Documents of one hash belong together. Returns None when they cannot give a fair split: fewer
    than two hashes, or the held-out part would exceed a fifth.
    """
    together: Counter[str] = Counter()
    for digest, size in zip(hashes, sizes, strict=True):
        together[digest] += size
    total = sum(sizes)
    wanted = min(share * total, most)
    held = 0
    for digest in sorted(together):
        if held >= wanted:
            return Split(threshold=digest) if held <= total / 5 else None
        held += together[digest]
    return None


def choose_sections(
    documents: Iterable[Document], characters: int, share: float, most: int
) -> Split:
    """A split by sections. Raises HornbookError when nearly all of them are copies."""
    size = min(_LONGEST_SECTION, characters // _FEWEST_SECTIONS)
    found: Counter[str] = Counter()
    for document in documents:
        for part in sections(document, size):
            found[content_hash(part.text)] += len(part.text.encode("utf-8"))
    split = choose_split(list(found), list(found.values()), share, most)
    if split is None:
        raise HornbookError(
            "The text repeats itself: no part of it can be held out to measure on that the rest "
            "does not have too. More text is needed, or text that differs."
        )
    return split.model_copy(update={"section": size})
