"""WordprocessingML with all of its text, made simple: what a library of documents reads whole.

Words stand in many wrappers: fields, controls, tags, revisions, boxes. Here wrappers fall away,
deleted text goes, boxes follow their paragraph, equations and ruby become text.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape, quoteattr

from hornbook.read.formats.word_math import math_text

_SPACES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships": "r",
    "http://purl.oclc.org/ooxml/officeDocument/relationships": "r",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
    "http://schemas.openxmlformats.org/drawingml/2006/diagram": "dgm",
    "http://purl.oclc.org/ooxml/drawingml/diagram": "dgm",
    "urn:schemas-microsoft-com:vml": "v",
}

_GONE = frozenset(
    {
        *("w:del", "w:moveFrom", "w:delText", "w:instrText", "w:delInstrText"),
        *("w:pPr", "w:rPr", "w:sectPr", "w:tblPr", "w:tblPrEx", "w:tblGrid", "w:trPr", "w:tcPr"),
        *("w:sdtPr", "w:sdtEndPr", "w:customXmlPr", "w:smartTagPr"),
    }
)
"""Deleted text, properties, instructions of fields. All else that is not known is a wrapper."""
_TEXT, _TEXT_END = '<w:t xml:space="preserve">', "</w:t>"
_SIGNS = {
    "w:tab": "<w:tab/>",
    "w:ptab": "<w:tab/>",
    "w:br": "<w:br/>",
    "w:cr": "<w:br/>",
    "w:noBreakHyphen": f"{_TEXT}-{_TEXT_END}",
    "w:softHyphen": "",
}
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{1,4}")
_DRAWN = ("w:drawing", "w:pict", "w:object")

PartText = Callable[[str], Iterable[str]]
"""From a relation's id to the paragraphs of the part that it names."""


def simple_xml(container: Element, part_text: PartText) -> str:
    """The blocks of a body or a note, in few elements of the transitional namespace."""
    writer = _XmlWriter(part_text)
    writer.blocks(container)
    return "".join(writer.out).replace(_TEXT_END + _TEXT, "")  # fewer elements take less time


def simple_notes(root: Element, part_text: PartText) -> str:
    """All footnotes, or endnotes, of a part; lines that separate them are left out."""
    notes = []
    for note in root:
        name, kind = _name(note.tag), _value(note, "type")
        if name in ("w:footnote", "w:endnote") and not kind.lower().endswith("separator"):
            id = quoteattr(_value(note, "id"))
            notes.append(f"<{name} w:id={id}>{simple_xml(note, part_text)}</{name}>")
    return "".join(notes)


@cache
def _name(tag: str) -> str:
    """A name with the usual prefix of its namespace, and none where that says nothing of text."""
    space, _, name = str(tag).removeprefix("{").rpartition("}")
    prefix = _SPACES.get(space)
    return f"{prefix}:{name}" if prefix else f":{name}"


def _value(element: Element, name: str) -> str:
    """An attribute, whatever its namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return value
    return ""


def _chosen(element: Element) -> str:
    """The entry of a drop-down list that stands in the document."""
    for form in element:
        for field in form:
            if _name(field.tag) == "w:ddList":
                entries = [_value(e, "val") for e in field if _name(e.tag) == "w:listEntry"]
                numbers = [_value(e, "val") for e in field if _name(e.tag) == "w:result"]
                place = int(numbers[0]) if numbers and numbers[0].isdecimal() else 0
                return entries[place] if place < len(entries) else ""
    return ""


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if _name(child.tag) == name), None)


class _XmlWriter:
    """Writes simple XML to `out`; boxes wait in `_after` until their paragraph ends."""

    def __init__(self, part_text: PartText) -> None:
        self.out: list[str] = []
        self._part_text = part_text
        self._after: list[str] = []
        self._open = self._joins = False
        self._written: list[int] = []
        """Places of texts inside fields."""
        self._fields: list[int | None] = []
        """Of each open field where it begins in `_written`, until its result begins."""
        self._chosen: list[str] = []

    def blocks(self, container: Element) -> None:
        """All blocks of a container, the last paragraph closed."""
        for child in container:
            self._block(child)
        self._close()

    def _block(self, element: Element) -> None:
        name = _name(element.tag)
        if name == "w:p":
            self._paragraph(element)
        elif name == "w:tbl":
            self._close()
            self.out.append("<w:tbl>")
            for row in _wrapped(element, "w:tr"):
                self._row(row)
            self.out.append("</w:tbl>")
        elif name == "w:altChunk":
            self._close()
            self.out.extend(map(_paragraph, self._part_text(_value(element, "id"))))
        elif name == "mc:AlternateContent":
            self._each(_alternative(element), self._block)
        elif name.startswith("m:") or name == "w:r":
            self._begin()
            self._inline(element)
        elif name not in _GONE:
            self._each(element, self._block)

    def _each(self, element: Iterable[Element], write: Callable[[Element], None]) -> None:
        for child in element:
            write(child)

    def _row(self, row: Element) -> None:
        self.out.append("<w:tr>")
        for cell in _wrapped(row, "w:tc"):
            inner = _XmlWriter(self._part_text)
            inner.blocks(cell)
            self.out += ["<w:tc>", *inner.out, "</w:tc>"]
        self.out.append("</w:tr>")

    def _paragraph(self, element: Element) -> None:
        if not self._joins:  # nothing, or an equation that stands for itself, is before it
            self._close()
        self._begin()
        self._each(element, self._inline)
        self._joins = _goes_on(element)
        if not self._joins:
            self._close()

    def _begin(self) -> None:
        if not self._open:
            self.out.append("<w:p>")
            self._open = True

    def _close(self) -> None:
        """End the paragraph; what hangs on it follows."""
        if self._open:
            self.out.append("</w:p>")
            self.out += self._after
            self._after, self._open = [], False
        self._joins = False

    def _inline(self, element: Element) -> None:
        name = _name(element.tag)
        if name == "w:t":
            self._text(element.text or "")
        elif name in _SIGNS:
            self.out.append(_SIGNS[name])
        elif name in ("w:footnoteReference", "w:endnoteReference"):
            self.out.append(f"<{name} w:id={quoteattr(_value(element, 'id'))}/>")
        elif name == "w:sym":
            self._symbol(element)
        elif name == "w:fldChar":
            self._field(_value(element, "fldCharType"), _chosen(element))
        elif name in ("m:oMath", "m:oMathPara"):
            self._text(math_text(element, _name))
        elif name == "w:ruby":
            self._ruby(element)
        elif name == "mc:AlternateContent":
            self._each(_alternative(element), self._inline)
        elif name in _DRAWN:
            self._boxes(element)
        elif name not in _GONE:
            self._each(element, self._inline)

    def _text(self, text: str) -> None:
        if text:
            if self._fields:
                self._written.append(len(self.out))
            self.out.append(f"{_TEXT}{escape(text)}{_TEXT_END}")

    def _symbol(self, element: Element) -> None:
        """A character of a symbol font; one of a font that nobody knows is not lost in silence."""
        from mammoth.docx.dingbats import dingbats

        font, char = _value(element, "font"), _value(element, "char")
        code = int(char, 16) if _HEXADECIMAL.fullmatch(char) else 0
        if found := dingbats.get((font, code)) or dingbats.get((font, code & 0xFF)):
            self._text(chr(found))
        else:
            self._text("\ufffd" if 0xE000 <= code < 0xF900 or not code else chr(code))

    def _ruby(self, element: Element) -> None:
        """The words, and how to read them in parentheses, as HTML writes it for old browsers."""
        base, reading = _child(element, "w:rubyBase"), _child(element, "w:rt")
        self._each(base if base is not None else (), self._inline)
        if reading is not None and any(_name(e.tag) == "w:t" for e in reading.iter()):
            self._text("(")
            self._each(reading, self._inline)
            self._text(")")

    def _field(self, kind: str, chosen: str) -> None:
        """A field's instruction is not its text, nor are the results of fields inside it.

        chosen: what was taken of a list, where the field is one.
        """
        if kind == "begin":
            self._fields.append(len(self._written))
            self._chosen.append(chosen)
        elif self._fields:
            begin = self._fields[-1]
            if begin is not None:  # what was written since then is no text
                for place in self._written[begin:]:
                    self.out[place] = ""
                del self._written[begin:]
                self._fields[-1] = None
            if kind == "end":
                self._fields.pop()
                self._text(self._chosen.pop())

    def _boxes(self, element: Element) -> None:
        """Text boxes, shapes and diagrams: blocks of their own, behind their paragraph."""
        for box in _outermost(element):
            name = _name(box.tag)
            if name == "w:txbxContent":
                inner = _XmlWriter(self._part_text)
                inner.blocks(box)
                self._after += inner.out
            elif name == "v:textpath":
                self._after.append(_paragraph(box.get("string", "")))
            else:
                self._after += map(_paragraph, self._part_text(_value(box, "dm")))


def _paragraph(text: str) -> str:
    return f"<w:p>{_TEXT}{escape(text)}{_TEXT_END}</w:p>"


def _wrapped(element: Element, name: str) -> Iterator[Element]:
    """The rows of a table or cells of a row, inside wrappers too; deleted ones are left out."""
    for child in element:
        found = _name(child.tag)
        if found == name:
            if not _is_deleted(child):
                yield child
        elif found == "mc:AlternateContent":
            yield from _wrapped(_alternative(child), name)
        elif found not in _GONE:
            yield from _wrapped(child, name)


def _is_deleted(element: Element) -> bool:
    for properties, mark in (("w:trPr", "w:del"), ("w:tcPr", "w:cellDel")):
        found = _child(element, properties)
        if found is not None and _child(found, mark) is not None:
            return True
    return False


def _goes_on(paragraph: Element) -> bool:
    """Whether the next paragraph continues it: its mark is deleted, or it is a drop cap."""
    properties = _child(paragraph, "w:pPr")
    if properties is None:
        return False
    frame, mark = _child(properties, "w:framePr"), _child(properties, "w:rPr")
    if frame is not None and _value(frame, "dropCap") in ("drop", "margin"):
        return True
    names = () if mark is None else [_name(child.tag) for child in mark]
    return "w:del" in names or "w:moveFrom" in names


def _alternative(element: Element) -> Element:
    """The first of several forms of the same content that holds text; else the last."""
    forms = list(element)
    return next((form for form in forms if _holds_text(form)), forms[-1] if forms else element)


def _holds_text(element: Element) -> bool:
    return any(
        _name(e.tag) in ("w:t", "m:t", "v:textpath", "dgm:relIds", "w:sym") for e in element.iter()
    )


def _outermost(element: Element) -> Iterator[Element]:
    """The boxes of a drawing, not those inside boxes; of several forms the first with text."""
    for child in element:
        name = _name(child.tag)
        if name in ("w:txbxContent", "v:textpath", "dgm:relIds"):
            yield child
        elif name == "mc:AlternateContent":
            yield from _outermost(_alternative(child))
        else:
            yield from _outermost(child)
