"""HTML to its main text, by resiliparse."""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from hornbook.read.documents import REPLACED, Document, Rejection
from hornbook.read.formats.charsets import charset_named
from hornbook.read.formats.decode import Decoded, decode_labelled, is_wide, newlines
from hornbook.read.formats.register import reads
from hornbook.read.formats.whole import read_whole
from hornbook.read.formats.xhtml import as_html, swallows

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
_LINES = ("</summary>", "</legend>", "</dialog>")
"""Ends of lines that the library joins to the next word."""
_TOPS = ("body > ", "body > * > ", "body > * > * > ")
_HAS_TEXT = ":has(li:not(:has(a)))"
_DOWN, _MOVED = "<body><div><div><div>", "body > div > div > div"
_NO_TEXT_NOR_MENU = [
    *_NO_TEXT,
    f"{_MOVED} > footer",
    *(f"{top.replace('body', _MOVED, 1)}ul:not({_HAS_TEXT})" for top in _TOPS),
]
_NEAR_TOP = ", ".join(f"{top}ul" for top in _TOPS)


class Page(NamedTuple):
    """replaced: characters that could not be decoded."""

    title: str
    text: str
    replaced: int


@reads(".html", ".htm")
def read_html(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; its title goes to the metadata. The declared or detected encoding is used."""
    return _read(stream, source, xml=False)


@reads(".xhtml", ".xht")
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

    All text where no main part is found. Hyphens that are seen only at the end of a line are left
    out. xml: it came as XML; pages that say so are read as it too.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    text, replaced = decode_labelled(data, _labels(charset, data))
    says_xml = "http://www.w3.org/1999/xhtml" in text[:_START] and swallows(text)
    if xml or says_xml or _XML.match(text):
        text = as_html(text)
    for end in _LINES:
        text = text.replace(end, f"{end}<br>")
    tree = HTMLTree.parse(text)
    title, skipped = (tree.title or "").strip(), _NO_TEXT
    if main and ("<ul" in text or "<UL" in text) and _has_lists_near_top(tree):
        moved = _DOWN + (tree.body.inner_html if tree.body else "")
        tree, skipped = HTMLTree.parse(moved), _NO_TEXT_NOR_MENU
    # Without alt_texts figures would be left out with their captions and tables.
    found = extract_plain_text(tree, main_content=main, alt_texts=True, skip_elements=skipped)
    if main and not found.strip():
        found = extract_plain_text(tree, main_content=False, alt_texts=True, skip_elements=_NO_TEXT)
    return Page(title, newlines(found).replace("\xad", ""), replaced)


def _has_lists_near_top(tree: Any) -> bool:
    """Whether a page has lists that would be taken for menus, as all near its top are.

    One that has an item without a link is none: such a page is moved three levels down, and what is
    a menu is left out by name.
    """
    find = tree.document.query_selector
    return bool(find(_NEAR_TOP) and find(_NEAR_TOP.replace("ul", f"ul{_HAS_TEXT}")))


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
