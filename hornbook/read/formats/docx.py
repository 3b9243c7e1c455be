"""Word documents by mammoth: paragraphs, tables and notes in their order."""

from collections.abc import Callable, Iterable, Iterator
from email import message_from_bytes
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

from hornbook.read.documents import REPLACED, Document, Rejection
from hornbook.read.formats.html import page_text, plain_text
from hornbook.read.formats.lines import broken
from hornbook.read.formats.mail_parts import content_of
from hornbook.read.formats.office_package import (
    LARGEST_FILE,
    OfficePackage,
    plain_package,
    unreadable,
)
from hornbook.read.formats.register import reads
from hornbook.read.formats.whole import read_whole
from hornbook.read.formats.word_xml import simple_notes, simple_xml

_NOTES = ("footnotes", "endnotes")


@reads(".docx", ".docm", ".dotx", ".dotm")
def read_docx(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; a table's row is a line, its cells apart by tabs.

    A part that is embedded in a format that is not read costs itself.
    """
    data = read_whole(stream, source, LARGEST_FILE)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        if fault := unreadable(data, "Word file"):
            yield Rejection(source, None, *fault)
            return
        opened = _Opened(data)
        title, text = opened.title(), opened.text()
    except Exception as error:  # broken archives raise a dozen unrelated types
        yield Rejection(source, None, *broken("broken Word file", error))
        return
    for name in opened.unread:
        yield Rejection(source, 1, "embedded part", f"{name} is not read")
    metadata = {"title": title, REPLACED: text.count("\ufffd")}
    kept = {name: value for name, value in metadata.items() if value}
    yield Document("", text, source, metadata=kept)


class _Opened:
    """A Word file. unread: names of embedded parts that hold no text we can read."""

    def __init__(self, data: bytes) -> None:
        self._package = OfficePackage(data)
        self.unread: list[str] = []

    def title(self) -> str:
        """What the file calls itself."""
        return self._package.title()

    def text(self) -> str:
        """All of its text."""
        from mammoth.docx import read

        main = self._package.main
        body = self._simple(main, lambda root, texts: simple_xml(_body(root), texts))
        notes = []
        for kind in _NOTES:
            if (part := self._package.related(kind, f"{kind}.xml")) is not None:
                notes.append((kind, self._simple(part, simple_notes)))
        return _document_text(read(plain_package(body, notes)).value)

    def _simple(self, part: str, write: Callable[[Element, Any], str]) -> str:
        relations = self._package.relations(part)

        def part_text(id: str) -> list[str]:
            relation = relations.get(id)
            return [] if relation is None else self._embedded(relation.target)

        return write(self._package.root(part), part_text)

    def _embedded(self, name: str) -> list[str]:
        """The paragraphs of a part in another format; its name is noted where it is not read."""
        try:
            data = self._package.read(name)
        except KeyError:
            data = b""
        kind = name.rpartition(".")[2].lower()
        if kind == "xml":  # a diagram
            return drawn_text(self._package.root(name)) if data else []
        if kind in ("htm", "html", "xhtml"):
            text = page_text(data, main=False, xml=kind == "xhtml").text
        elif kind in ("mht", "mhtml", "eml"):
            text = content_of(message_from_bytes(data)).text
        elif kind == "txt":
            text = plain_text(data).text
        elif kind in ("docx", "docm", "dotx", "dotm"):
            text = _Opened(data).text()
        else:
            self.unread.append(name)
            return []
        return [line for line in text.split("\n") if line.strip()]


def _body(root: Element) -> Element:
    body = next((child for child in root if child.tag.endswith("}body")), None)
    if body is None:
        raise ValueError("no body in the document")
    return body


def drawn_text(root: Element) -> list[str]:
    """Paragraphs of DrawingML, in a diagram."""
    paragraphs = (e for e in root.iter() if e.tag.endswith("/main}p") and "drawingml" in e.tag)
    texts = ("".join(t.text or "" for t in p.iter() if t.tag.endswith("}t")) for p in paragraphs)
    return [text for text in texts if text.strip()]


def _document_text(document: Any) -> str:
    """Blocks apart by an empty line; footnotes after the block they belong to, endnotes last."""
    out, last, seen = list[str](), list[str](), set[tuple[str, str]]()
    for block in document.children:
        out.append(_block_text(block))
        for reference in _references(block):
            key = (reference.note_type, reference.note_id)
            if key not in seen:
                seen.add(key)
                (last if key[0] == "endnote" else out).append(_note_text(document.notes, *key))
    return "\n\n".join(text for text in (*out, *last) if text.strip())


def _note_text(notes: Any, kind: str, id: str) -> str:
    try:
        return "\n".join(_block_texts(notes.find_note(kind, id).body)).strip()
    except KeyError:  # a reference to nothing
        return ""


def _references(element: Any) -> Iterator[Any]:
    """The notes that a block refers to, in their order."""
    if hasattr(element, "note_id"):
        yield element
    for child in getattr(element, "children", ()):
        yield from _references(child)


def _block_texts(blocks: Iterable[Any]) -> list[str]:
    return [text for text in map(_block_text, blocks) if text.strip()]


def _block_text(block: Any) -> str:
    from mammoth.documents import Table

    if isinstance(block, Table):
        rows = ("\t".join(_cell_text(c) for c in row.children) for row in block.children)
        return "\n".join(row for row in rows if row.strip())
    return _inline_text(block)


def _cell_text(cell: Any) -> str:
    return "\n".join(_block_texts(cell.children))


def _inline_text(element: Any) -> str:
    from mammoth.documents import Break, Tab, Text

    if isinstance(element, Text):
        return str(element.value)
    if isinstance(element, Tab):
        return "\t"
    if isinstance(element, Break):
        return "\n"
    return "".join(map(_inline_text, getattr(element, "children", ())))
