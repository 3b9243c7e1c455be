"""HTML to its main text, by resiliparse.

Knows one page at a time; knows nothing of archives, books or letters, which hold pages too.
"""

import codecs
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
        title, text = page_text(data)
        yield Document("", text, source, metadata={"title": title} if title else {})


def page_text(data: bytes, charset: str | None = None, main: bool = True) -> tuple[str, str]:
    """A page's title and text. charset: what came with the page. main: without its surroundings.

    All text where no main part is found.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse_from_bytes(data, charset_of(data, charset))
    text = extract_plain_text(tree, main_content=main, alt_texts=False)
    if main and not text.strip():
        text = extract_plain_text(tree, main_content=False, alt_texts=False)
    return (tree.title or "").strip(), newlines(text)


def plain_text(data: bytes, charset: str | None = None) -> str:
    """Text that came with a charset or none; what cannot be decoded is U+FFFD."""
    from resiliparse.parse.encoding import bytes_to_str

    return newlines(bytes_to_str(data, charset_of(data, charset)).removeprefix("\ufeff"))


def charset_of(data: bytes, declared: str | None = None) -> str:
    """The encoding by mark, by being UTF-8, as declared outside or inside, or as it looks.

    What is UTF-8 beyond ASCII is hardly ever anything else, whereas servers declare ISO-8859-1
    for all they have.
    """
    from resiliparse.parse.encoding import detect_encoding

    marked = encoding_of(data)
    if marked != "utf-8":
        return marked.removesuffix("-sig")
    if b"\x1b" not in data and _is_utf8(data):  # escapes: ISO-2022 is ASCII to look at
        return "utf-8"
    if declared:
        try:
            return codecs.lookup(declared).name
        except (LookupError, ValueError):
            pass
    return detect_encoding(data, from_html_meta=True) or "utf-8"


def _is_utf8(data: bytes) -> bool:
    """Whether it is UTF-8; the last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True
