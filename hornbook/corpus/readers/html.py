"""HTML to its main text, by resiliparse."""

from collections.abc import Iterator
from typing import BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import encoding_of, newlines
from hornbook.corpus.readers.whole import read_whole

LARGEST_PAGE = 32 * 2**20
"""Bytes: the parsed tree takes many times as much memory."""


def read_html(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; its title goes to the metadata. The declared or detected encoding is used."""
    data = read_whole(stream, source, LARGEST_PAGE)
    if isinstance(data, Rejection):
        yield data
    elif encoding_of(data) != "utf-16" and b"\0" in data:
        yield Rejection(source, None, "binary", "holds NUL bytes")
    else:
        title, text = _parse(data)
        yield Document("", newlines(text), source, metadata={"title": title} if title else {})


def _parse(data: bytes) -> tuple[str, str]:
    """Title and main text; all text where no main part is found."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import detect_encoding
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse_from_bytes(data, detect_encoding(data) or "utf-8")
    text = extract_plain_text(tree, main_content=True, alt_texts=False)
    if not text.strip():
        text = extract_plain_text(tree, main_content=False, alt_texts=False)
    return (tree.title or "").strip(), text
