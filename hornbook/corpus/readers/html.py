"""HTML to its main text, by resiliparse.

Knows one page at a time; knows nothing of archives, books or letters, which hold pages too.
"""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from hornbook.corpus.documents import REPLACED, Document, Rejection
from hornbook.corpus.readers.charsets import charset_named
from hornbook.corpus.readers.decode import Decoded, decode_labelled, is_wide, newlines
from hornbook.corpus.readers.whole import read_whole
from hornbook.corpus.readers.xhtml import as_html, swallows

LARGEST_PAGE = 32 * 2**20
"""Bytes: the parsed tree takes many times as much memory."""

_START = 4096
"""Bytes in which a page says what it is; browsers look at 1,024."""
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(rb"<meta\s[^<>]*?charset\s*=\s*(?:[\"']\s*)?([\w.:+-]+)", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"<\?xml\s[^<>]*?encoding\s*=\s*[\"']([\w.:+-]+)")
_XML = re.compile(r"\s*<\?xml\s")


_NO_TEXT = ["img", "area", "video", "audio", "object", "iframe", "embed", "input", "svg", "applet"]
"""Elements that stand for what is no text, with what is said of it instead."""
_TOPS = ("body > ", "body > * > ", "body > * > * > ")
_HAS_TEXT = ":has(li:not(:has(a)))"
_NEAR_TOP = ", ".join(f"{top}ul" for top in _TOPS)


class Page(NamedTuple):
    """replaced: characters that could not be decoded."""

    title: str
    text: str
    replaced: int


def read_html(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; its title goes to the metadata. The declared or detected encoding is used."""
    return _read(stream, source, xml=False)


def read_xhtml(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """As `read_html`, of a page that is XML, as far as it is."""
    return _read(stream, source, xml=True)


def _read(stream: BinaryIO, source: str, xml: bool) -> Iterator[Document | Rejection]:
    data = read_whole(stream, source, LARGEST_PAGE)
    if isinstance(data, Rejection):
        yield data
    elif b"\0" in data and not is_wide(data):
        yield Rejection(source, None, "binary", "holds NUL bytes")
    else:
        page = page_text(data, xml=xml)
        metadata = {"title": page.title, REPLACED: page.replaced}
        kept = {name: value for name, value in metadata.items() if value}
        yield Document("", page.text, source, metadata=kept)


def page_text(
    data: bytes, charset: str | None = None, main: bool = True, xml: bool = False
) -> Page:
    """A page's title and text. charset: what came with the page. main: without its surroundings.

    All text where no main part is found. xml: it came as XML; pages that say so are read as it too.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    text, replaced = decode_labelled(data, _labels(charset, data))
    says_xml = "http://www.w3.org/1999/xhtml" in text[:_START] and swallows(text)
    if xml or says_xml or _XML.match(text):
        text = as_html(text)
    tree = HTMLTree.parse(text)
    skipped = _with_lists(tree) if main and ("<ul" in text or "<UL" in text) else _NO_TEXT
    # Without alt_texts figures would be left out with their captions and tables.
    found = extract_plain_text(tree, main_content=main, alt_texts=True, skip_elements=skipped)
    if main and not found.strip():
        found = extract_plain_text(tree, main_content=False, alt_texts=True, skip_elements=_NO_TEXT)
    return Page((tree.title or "").strip(), newlines(found), replaced)


def _with_lists(tree: Any) -> list[str]:
    """What to leave out of a page so that its lists stay, after moving them where they do.

    Near the top of a page every list is taken for its menu. One that has an item without a link is
    none: such a page is moved three levels down, and what is a menu is left out by name.
    """
    find = tree.document.query_selector
    if not (find(_NEAR_TOP) and find(_NEAR_TOP.replace("ul", f"ul{_HAS_TEXT}"))):
        return _NO_TEXT
    body = tree.body
    outer = inner = tree.create_element("div")
    for _ in range(2):
        inner = inner.append_child(tree.create_element("div"))
    while (child := body.first_child) is not None:
        inner.append_child(child)
    body.append_child(outer)
    moved = [top.replace("body", "body > div > div > div", 1) for top in _TOPS]
    return [*_NO_TEXT, f"{moved[0]}footer", *(f"{top}ul:not({_HAS_TEXT})" for top in moved)]


def plain_text(data: bytes, charset: str | None = None) -> Decoded:
    """Text that came with a charset or none."""
    text, replaced = decode_labelled(data, (charset,))
    return Decoded(newlines(text), replaced)


def _labels(charset: str | None, data: bytes) -> Iterator[str | None]:
    """What came with a page, then what it declares, looked for only when it is asked for."""
    yield charset
    yield from declared(data)


def declared(data: bytes) -> list[str]:
    """The charsets that a page declares inside; not UTF-16, as the declaration is read as ASCII."""
    start = data[:_START]
    found = [*_XML_CHARSET.findall(start[:200]), *_META.findall(_COMMENT.sub(b"", start))]
    labels = [label.decode("ascii", "replace") for label in found[:2]]
    return [label for label in labels if not (charset_named(label) or "").startswith("utf-")]
