"""XHTML, which is XML: the page as HTML that means the same, for the parser of pages.

In XML `<title/>` is a whole element, names may have prefixes, and CDATA is text; a parser of HTML
loses the page behind such a tag.
"""

import html
import html.entities
import re
from functools import cache
from xml.etree import ElementTree

_HTML = "http://www.w3.org/1999/xhtml"
_SVG = "http://www.w3.org/2000/svg"
_KEPT = ("", _HTML, "http://www.w3.org/1998/Math/MathML")
_NO_TEXT = ("script", "style", "template")
_NOT_SHOWN = (*_NO_TEXT, "title", "desc", "metadata")

_PROLOG = re.compile(r"\s*(?:<\?xml[^>]*\?>)?\s*")
_DOCTYPE = re.compile(r"<!DOCTYPE\s+([\w:.-]+)\s*(?=[\[>])", re.IGNORECASE)
_ANY_DOCTYPE = re.compile(r"<!DOCTYPE\s", re.IGNORECASE)
_ENCODING = re.compile(r"(?<=<\?xml)([^<>]*?)(?<!\s)\s+encoding\s*=\s*[\"'][^\"'>]*[\"']")
_START = 8192

_SWALLOWING = "title|script|style|textarea|iframe|noscript|noframes|noembed|xmp"
_EMPTY = re.compile(rf"<({_SWALLOWING})(\s[^<>]*)?/>", re.IGNORECASE)
"""Elements after whose start tag a parser of HTML reads on until their end tag."""


class NotXml(ValueError):
    """The text is no well-formed XML."""


def element_of(text: str) -> ElementTree.Element:
    """The root of an XML text, in which HTML's named entities are known. Raises NotXml."""
    parser = ElementTree.XMLParser()
    parser.entity.update(_entities())
    try:
        parser.feed(_with_dtd(text))
        return parser.close()
    except (ElementTree.ParseError, ValueError) as error:
        raise NotXml(str(error)) from None


def as_html(text: str) -> str:
    """An XML page as HTML; where it is no XML, as near to it as can be."""
    try:
        root = element_of(text)
        for element in root.iter():
            _to_html(element)
        return ElementTree.tostring(root, encoding="unicode", method="html")
    except (NotXml, RecursionError):
        return closed(text)


def swallows(text: str) -> bool:
    """Whether a parser of HTML would read on behind an element that is written as empty."""
    return _EMPTY.search(text) is not None


def closed(text: str) -> str:
    """Broken XML as HTML would have it: an end tag after such elements, CDATA as text."""
    before, *pieces = _EMPTY.sub(r"<\1\2></\1>", text).split("<![CDATA[")
    halves = (piece.partition("]]>") for piece in pieces)
    return before + "".join(html.escape(inside) + after for inside, _, after in halves)


def _to_html(element: ElementTree.Element) -> None:
    space, _, name = element.tag.rpartition("}")
    space = space.removeprefix("{")
    if space == _SVG:  # the words of a drawing stand beside one another otherwise
        element.tag = {"text": "p", "tspan": "span"}.get(name, "div")
    else:
        element.tag = name.lower() if space in _KEPT else "span"
    if name in (_NOT_SHOWN if space == _SVG else _NO_TEXT):
        element[:], element.text = [], None
    for key in [key for key in element.attrib if key.startswith("{")]:
        del element.attrib[key]


def _with_dtd(text: str) -> str:
    """With a document type that has its entities elsewhere: expat then asks for those it lacks."""
    text = text.removeprefix("\ufeff").lstrip()
    start, rest = text[:_START], text[_START:]
    start = _ENCODING.sub(r"\1", start, count=1)  # it was decoded
    if _DOCTYPE.search(start):
        return _DOCTYPE.sub(r'<!DOCTYPE \1 SYSTEM "x" ', start, count=1) + rest
    if not _ANY_DOCTYPE.search(start):
        prolog = _PROLOG.match(start)
        assert prolog, "it may be empty"
        start = f'{prolog[0]}<!DOCTYPE x SYSTEM "x">{start[prolog.end() :]}'
    return start + rest


@cache
def _entities() -> dict[str, str]:
    names = html.entities.html5.items()
    return {name.removesuffix(";"): text for name, text in names}
