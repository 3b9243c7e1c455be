"""PowerPoint: a page for each slide, in the order in which they are shown, with its notes."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.docx import drawn_text
from hornbook.read.formats.lines import broken
from hornbook.read.formats.office_package import LARGEST_FILE, OfficePackage, unreadable
from hornbook.read.formats.register import reads
from hornbook.read.formats.whole import read_whole

_MAIN = "ppt/presentation.xml"
_ID = "relationships}id"
_PLACES = ("sldNum", "dt", "ftr", "hdr", "sldImg")
"""Placeholders of what is the same on all slides, and of the slide's picture beside its notes."""


@reads(".pptx", ".pptm", ".ppsx", ".ppsm", ".potx")
def read_slides(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; metadata has `pages`, the character at which each slide starts."""
    data = read_whole(stream, source, LARGEST_FILE)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        if fault := unreadable(data, "PowerPoint file"):
            yield Rejection(source, None, *fault)
            return
        package = OfficePackage(data, _MAIN)
        slides = [_text(package, slide) for slide in _slides(package)]
        title = package.title()
    except Exception as error:  # broken archives raise a dozen unrelated types
        yield Rejection(source, None, *broken("broken PowerPoint file", error))
        return
    yield paged(slides, source, title)


def paged(texts: Iterable[str], source: str, title: str) -> Document:
    """A document of pages, each of which ends with an empty line."""
    pages, starts, place = [f"{text}\n\n" for text in texts], list[int](), 0
    for page in pages:
        starts.append(place)
        place += len(page)
    metadata = {"pages": starts, **({"title": title} if title else {})}
    return Document("", "".join(pages), source, metadata=metadata)


def _slides(package: OfficePackage) -> Iterator[str]:
    """The parts of the slides, in their order."""
    relations = package.relations(package.main)
    for element in package.root(package.main).iter():
        if local(element) == "sldId":
            ids = (value for name, value in element.attrib.items() if name.endswith(_ID))
            relation = relations.get(next(ids, ""))
            if relation is not None:
                yield relation.target


def _text(package: OfficePackage, part: str) -> str:
    """A slide and its notes, shapes apart by an empty line."""
    relations = package.relations(part)
    found = list(_shapes(package.root(part), package, part))
    for relation in relations.values():
        if relation.kind == "notesSlide":
            found += _shapes(package.root(relation.target), package, relation.target)
    return "\n\n".join(found)


def _shapes(element: Element, package: OfficePackage, part: str) -> Iterator[str]:
    """The text of each shape, table and diagram in an element."""
    name = local(element)
    if name == "sp" and _stands_for(element) in _PLACES:
        return
    if name == "txBody":
        lines = [_line(child) for child in element if local(child) == "p"]
        if any(line.strip() for line in lines):
            yield "\n".join(lines).strip()
    elif name == "tbl":
        rows = (_row(child) for child in element if local(child) == "tr")
        yield "\n".join(row for row in rows if row.strip())
    elif name == "relIds":
        yield from _diagram(element, package, part)
    elif name == "AlternateContent":  # the same in two ways
        yield from _shapes(element[0], package, part)
    else:
        for child in element:
            yield from _shapes(child, package, part)


def _diagram(element: Element, package: OfficePackage, part: str) -> Iterator[str]:
    relations = package.relations(part)
    for value in element.attrib.values():
        relation = relations.get(value)
        if relation is not None and relation.kind == "diagramData":
            yield "\n".join(drawn_text(package.root(relation.target)))


def _stands_for(shape: Element) -> str:
    """What a placeholder is for, "" for other shapes."""
    return next((e.get("type", "") for e in shape.iter() if local(e) == "ph"), "")


def _row(row: Element) -> str:
    cells = (child for child in row if local(child) == "tc")
    return "\t".join(" ".join(_lines(cell)).strip() for cell in cells)


def _lines(cell: Element) -> Iterator[str]:
    return (_line(element) for element in cell.iter() if local(element) == "p")


def _line(paragraph: Element) -> str:
    """The text of a paragraph."""
    found = list[str]()
    for element in paragraph.iter():
        name = local(element)
        if name == "t":
            found.append(element.text or "")
        elif name == "br":
            found.append("\n")
    return "".join(found)


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]
