"""Pages and books that are XML: read as XML where they are it, as near as can be where not."""

import io
import zipfile

import pytest

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.epub import read_epub
from hornbook.read.formats.html import page_text

XHTML = "http://www.w3.org/1999/xhtml"
BODY = "<p>Hello&nbsp;w&ouml;rld &lt;b&gt; <![CDATA[a < b]]></p><p>Two</p>"
TEXT = "Hello\xa0wörld <b> a < b\n\nTwo"
PROLOGS = (
    "",
    '<?xml version="1.0" encoding="utf-8"?>\n',
    "<!DOCTYPE html>",
    '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN"'
    ' "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">',
)


def page(head="", body=BODY, prolog=""):
    return f'{prolog}<html xmlns="{XHTML}"><head>{head}</head><body>{body}</body></html>'.encode()


def read(data, **kwargs):
    return page_text(data, main=False, **{"xml": True, **kwargs}).text


@pytest.mark.parametrize("prolog", PROLOGS)
@pytest.mark.parametrize(
    "head",
    ["<title/>", '<script src="k.js"/>', "<style/>", '<title/><script type="x"/><style />'],
)
def test_elements_written_as_empty(head, prolog):
    assert read(page(head, prolog=prolog)) == TEXT
    broken = page(head, BODY.replace("</p><p>", "<br></p><p>"), prolog)
    assert read(broken) == TEXT
    assert read(page(head, prolog=prolog), xml=False).endswith("Two")


def test_what_only_xml_has():
    prefixed = (
        f'<h:html xmlns:h="{XHTML}"><h:head><h:title/></h:head>'
        "<h:body><h:p>One</h:p><h:P>Two</h:P><h:textarea/><h:iframe/>End</h:body></h:html>"
    )
    assert read(prefixed.encode()) == "One\n\nTwo\n\nEnd"
    own = '<!DOCTYPE html [<!ENTITY firm "Ours &amp; Co">]><html><body>&firm;&nbsp;x</body></html>'
    assert read(own.encode()) == "Ours & Co\xa0x"
    wide = f'<?xml version="1.0" encoding="UTF-16"?><html><title/><p>{"naïve " * 3}</p></html>'
    assert read(wide.encode("utf-16")) == ("naïve " * 3).strip()
    script = "<script>//<![CDATA[\nif (a < b) {}\n//]]></script>"
    assert read(page(script, "<p>Text</p>")) == "Text"


def test_drawings_and_equations_in_pages():
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg"><title>hint</title><text>Sung'
        "<tspan> words</tspan></text></svg>"
    )
    assert read(page("", drawing + "<p>Text</p>")) == "Sung words\n\nText"
    foreign = '<d:title xmlns:d="urn:x">Inner</d:title><p>Text</p>'
    assert read(page("", foreign)) == "Inner\n\nText"
    equation = (
        '<p>x <m:math xmlns:m="http://www.w3.org/1998/Math/MathML"><m:mi>y</m:mi></m:math></p>'
    )
    assert read(page("", equation)) == "x y"


def test_the_bomb_of_entities_is_no_text():
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'<!DOCTYPE html [<!ENTITY e0 "lol">{levels}]><html><body>&e11;</body></html>'
    assert len(read(bomb.encode())) < 10_000


def book(items, spine, files, *, opf="OEBPS/book.opf", container=True):
    """items: (id, href, more attributes). spine: itemrefs as XML. files: bytes by name."""
    manifest = "".join(f'<item id="{id}" href="{href}" {more}/>' for id, href, more in items)
    refs = "".join(s if s.startswith("<") else f'<itemref idref="{s}"/>' for s in spine)
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Caf&eacute;</dc:title>'
        f"</metadata><manifest>{manifest}</manifest><spine>{refs}</spine></package>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        if container:
            root = (
                f'<c><rootfile full-path="{opf}" media-type="application/oebps-package+xml"/></c>'
            )
            archive.writestr("META-INF/container.xml", root)
        archive.writestr(opf, package)
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def chapter(text):
    return page("<title/>", f"<p>{text}</p>")


PAGE = 'media-type="application/xhtml+xml"'


def opened(data):
    items = list(read_epub(io.BytesIO(data), "a.epub"))
    texts = [item.text for item in items if isinstance(item, Document)]
    rejected = [(r.line, r.reason, r.detail) for r in items if isinstance(r, Rejection)]
    return (texts[0].split("\n\n")[:-1] if texts else []), rejected


def test_the_order_of_a_book():
    items = [(name, f"{name}.xhtml", PAGE) for name in "abc"]
    files = {f"OEBPS/{name}.xhtml": chapter(name.upper()) for name in "abc"}
    spine = ["c", '<itemref idref="a" linear="no"/>', "c", "b"]
    assert opened(book(items, spine, files)) == (["C", "A", "B"], [])
    assert opened(book(items, ["b"], files))[0] == ["B", "A", "C"], "not in the order, not lost"
    nav = [("n", "nav.xhtml", f'{PAGE} properties="nav"')]
    files["OEBPS/nav.xhtml"] = chapter("Contents")
    assert opened(book(items + nav, ["a", "b", "c"], files))[0] == ["A", "B", "C"]
    assert opened(book(items, ["a", "x"], files))[1] == [
        (2, "broken chapter", "no item 'x' in the manifest")
    ]


def test_names_that_are_written_in_other_ways():
    cases = {
        "a%20b.xhtml": "OEBPS/a b.xhtml",
        "a%20b.html": "OEBPS/a%20b.html",
        "Text/A.xhtml#start": "OEBPS/text/a.xhtml",
        "../other/x.xhtml": "other/x.xhtml",
        "caf\u00e9.xhtml": "OEBPS/cafe\u0301.xhtml",
    }
    for href, name in cases.items():
        data = book([("a", href, PAGE)], ["a"], {name: chapter("Found")})
        assert opened(data) == (["Found"], []), href
    files = {"a.xhtml": chapter("Found")}
    data = book([("a", "a.xhtml", PAGE)], ["a"], files, opf="b.opf", container=False)
    assert opened(data) == (["Found"], [])


def test_fallbacks_and_locked_parts():
    items = [
        ("p", "p.pdf", 'media-type="application/pdf" fallback="q"'),
        ("q", "q.png", 'media-type="image/png" fallback="a"'),
        ("a", "a.xhtml", PAGE),
        ("s", "s.svg", 'media-type="image/svg+xml"'),
        ("l", "l.xhtml", PAGE),
    ]
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><text>Drawn</text></svg>'
    lock = '<e xmlns="x"><CipherReference URI="OEBPS/l.xhtml"/></e>'
    files = {
        "OEBPS/a.xhtml": chapter("Instead"),
        "OEBPS/s.svg": drawing,
        "OEBPS/l.xhtml": b"\x00\x01",
        "META-INF/encryption.xml": lock,
    }
    texts, rejected = opened(book(items, ["p", "s", "l"], files))
    assert texts == ["Instead", "Drawn"]
    assert rejected == [(3, "locked chapter", "OEBPS/l.xhtml is encrypted")]


def test_old_books_and_other_charsets():
    items = [
        ("a", "a.htm", 'media-type="text/x-oeb1-document"'),
        ("b", "b.xhtml", PAGE),
        ("c", "c.xhtml", PAGE),
    ]
    declared = '<?xml version="1.0" encoding="windows-1251"?>'
    files = {
        "OEBPS/a.htm": b"<html><body><P>Old<BR>page &copy;</BODY>",
        "OEBPS/b.xhtml": page("", "<p>Привет</p>", declared).decode().encode("cp1251"),
        "OEBPS/c.xhtml": page("", "<p>日本</p>").decode().encode("utf-16"),
    }
    assert opened(book(items, ["a", "b", "c"], files)) == (["Old\npage ©", "Привет", "日本"], [])


def test_words_that_stand_apart_on_a_page():
    body = "<details><summary>One</summary>Two</details><dialog>Three</dialog>Four so&shy;ft"
    assert read(page("", body)).split() == ["One", "Two", "Three", "Four", "soft"]
