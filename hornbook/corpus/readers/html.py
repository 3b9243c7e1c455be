"""HTML to its main text, by resiliparse."""

from collections.abc import Iterator
from typing import BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import newlines
from hornbook.corpus.readers.whole import read_whole


def read_html(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; its title goes to the metadata. The declared or detected encoding is used."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import detect_encoding
    from resiliparse.parse.html import HTMLTree

    data = read_whole(stream, source)
    if isinstance(data, Rejection):
        yield data
        return
    tree = HTMLTree.parse_from_bytes(data, detect_encoding(data) or "utf-8")
    text = extract_plain_text(tree, main_content=True, alt_texts=False)
    title = (tree.title or "").strip()
    yield Document("", newlines(text), source, metadata={"title": title} if title else {})
