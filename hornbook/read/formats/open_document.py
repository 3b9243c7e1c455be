"""OpenDocument: texts and presentations, with their tables and notes in their places."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.lines import broken
from hornbook.read.formats.office_package import LARGEST_FILE, title_in, unreadable
from hornbook.read.formats.register import reads
from hornbook.read.formats.slides import local, paged
from hornbook.read.formats.whole import read_whole

_GONE = ("annotation", "tracked-changes", "forms", "sequence-decls", "binary-data")
"""Comments, deleted text, and what is no text."""
_PARAGRAPHS = ("p", "h")
_BOXES = ("frame", "custom-shape", "g")


@reads(".odt", ".ott", ".odp", ".otp")
def read_open_document(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; of a presentation `pages` says where each slide starts."""
    data = read_whole(stream, source, LARGEST_FILE)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        if fault := unreadable(data, "OpenDocument file"):
            yield Rejection(source, None, *fault)
            return
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if _is_sealed(archive):
                yield Rejection(source, None, "encrypted OpenDocument file", "it has a password")
                return
            root = ElementTree.fromstring(archive.read("content.xml"))
            title = _title(archive)
        slides = [element for element in root.iter() if local(element) == "page"]
        texts = [_joined(slide) for slide in slides or [root]]
    except Exception as error:  # broken archives raise a dozen unrelated types
        yield Rejection(source, None, *broken("broken OpenDocument file", error))
        return
    if slides:
        yield paged(texts, source, title)
    else:
        yield Document("", texts[0], source, metadata={"title": title} if title else {})


def _is_sealed(archive: zipfile.ZipFile) -> bool:
    names = archive.namelist()
    manifest = "META-INF/manifest.xml"
    return manifest in names and b"encryption-data" in archive.read(manifest)


def _title(archive: zipfile.ZipFile) -> str:
    if "meta.xml" not in archive.namelist():
        return ""
    return title_in(ElementTree.fromstring(archive.read("meta.xml")).iter())


def _joined(element: Element) -> str:
    return "\n\n".join(text for text in _blocks(element) if text.strip())


def _blocks(element: Element) -> Iterator[str]:
    """The paragraphs and tables in an element; boxes and notes follow their paragraph."""
    name = local(element)
    if name in _GONE:
        return
    if name in _PARAGRAPHS:
        yield "".join(_inline(element)).strip()
        yield from _behind(element)
    elif name == "table":
        yield "\n".join(row for row in _rows(element) if row.strip())
    else:
        for child in element:
            yield from _blocks(child)


def _behind(paragraph: Element) -> Iterator[str]:
    """The blocks of boxes and notes in a paragraph."""
    for child in paragraph:
        if local(child) in (*_BOXES, "note-body"):
            yield from _blocks_of(child)
        elif local(child) not in _GONE:
            yield from _behind(child)


def _blocks_of(element: Element) -> Iterator[str]:
    for child in element:
        yield from _blocks(child)


def _rows(table: Element) -> Iterator[str]:
    for element in table:
        if local(element) == "table-row":
            cells = (child for child in element if local(child).endswith("table-cell"))
            yield "\t".join(" ".join(_blocks_of(cell)) for cell in cells).rstrip()
        elif local(element) not in _GONE:
            yield from _rows(element)


def _inline(element: Element) -> Iterable[str]:
    """The pieces of a paragraph's own text."""
    yield element.text or ""
    for child in element:
        name = local(child)
        if name == "s":
            yield " " * min(1000, int(next(iter(child.attrib.values()), "1")))
        elif name == "tab":
            yield "\t"
        elif name == "line-break":
            yield "\n"
        elif name == "ruby-text":
            yield f"({''.join(_inline(child))})"
        elif name not in (*_GONE, *_BOXES, "note"):
            yield from _inline(child)
        yield child.tail or ""
