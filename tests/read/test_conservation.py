"""Conservation inside documents: known words in every place that a format has, and what comes out.

A word that begins with `in` must come out, exactly once; one that begins with `out` stands where
docs/corpus.md says that text is left out on purpose.
"""

import gzip
import io
import json
import re
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from hornbook.read.documents import Document
from hornbook.read.formats import ARCHIVE_READERS, READERS, RECORD_READERS
from hornbook.read.sources import read_file
from tests.read import test_office as office
from tests.read.test_books import PAGE, book, page
from tests.read.test_charsets import warc
from tests.read.test_mail import HEAD, many, part
from tests.read.test_pdf import FONT, pdf
from tests.read.test_word import (
    NOTE,
    W,
    either,
    instruction,
    m,
    p,
    r,
    sdt,
    shape,
    tbl,
    tc,
    tr,
    word,
)
from tests.read.test_word import char as field
from tests.tables import parquet

DOCS = Path(__file__).parents[2] / "docs"
_numbers = count(1000)


def kept(place):
    """A word of its own that must come out."""
    return f"in{place}{next(_numbers)}"


def left(place):
    """A word of its own that stays out."""
    return f"out{place}{next(_numbers)}"


def word_file():
    reference = '<w:r><w:{0}Reference w:id="{1}"/></w:r>'.format
    complex_field = (
        field("begin") + instruction(left("instruction")) + field("separate")
        + r(kept("field")) + field("end")
    )  # fmt: skip
    reading, base = r(kept("reading")), r(kept("base"))
    ruby = f"<w:ruby><w:rt>{reading}</w:rt><w:rubyBase>{base}</w:rubyBase></w:ruby>"
    inline = [
        kept("body") + " ",
        f"<w:ins>{r(kept('inserted'))}</w:ins> ",
        f"<w:del><w:r><w:delText>{left('deleted')}</w:delText></w:r></w:del>",
        f"<w:moveTo>{r(kept('moved'))}</w:moveTo>",
        f"<w:moveFrom>{r(left('moved'))}</w:moveFrom>",
        f"<w:smartTag>{r(kept('tag'))}</w:smartTag>",
        f'<w:hyperlink r:id="x">{r(kept("link"))}</w:hyperlink>',
        f'<w:fldSimple w:instr="X">{r(kept("simplefield"))}</w:fldSimple>',
        complex_field,
        sdt(r(kept("control"))),
        m("oMath", kept("equation")),
        f"<w:r>{ruby}</w:r>",
        either(r(kept("alternative")), r(left("alternative"))),
        shape(p(kept("box")), tbl(tr(kept("boxcell")))),
        reference("footnote", 2), reference("endnote", 2), reference("comment", 1),
    ]  # fmt: skip
    spaced = [part for one in inline for part in (one.rstrip(), r(" "))]
    nested = tc(tbl(tr(kept("nested"))))
    gone = tr(left("deletedrow"), more="<w:trPr><w:del/></w:trPr>")
    table = tbl(tr(kept("cell"), sdt(tc(kept("cellcontrol"))), nested), sdt(tr(kept("row"))), gone)
    chunk = '<w:altChunk r:id="c"/>'
    notes = {}
    for kind in ("footnote", "endnote"):
        one = f"<w:{kind} w:id='2'>{p(kept(kind))}</w:{kind}></w:{kind}s>"
        notes[f"word/{kind}s.xml"] = NOTE.format(w=W, line=p("")).replace("footnote", kind) + one
    parts = {
        **notes,
        "word/header1.xml": f"<w:hdr xmlns:w='{W}'>{p(left('header'))}</w:hdr>",
        "word/comments.xml": f"<w:comments xmlns:w='{W}'>{p(left('comment'))}</w:comments>",
        "word/c.html": f"<p>{kept('embedded')}</p>",
    }
    body = p(*spaced) + sdt(p(kept("block"))) + table + chunk
    return word(body, parts, [("c", "aFChunk", "c.html")])


def pdf_file():
    annotations = [
        f"<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V({kept('field')})/Rect[1 1 90 20]>>",
        f"<</Type/Annot/Subtype/FreeText/Contents({kept('free')})/Rect[1 30 90 50]/DA(/F 9 Tf)>>",
        f"<</Type/Annot/Subtype/Text/Contents({left('sticky')})/Rect[1 60 9 70]>>",
    ]
    half = kept("broken")
    lines = [kept("first"), f"{half[:4]}-", half[4:], kept("last")]
    return pdf(
        [line.encode() for line in lines],
        [kept("second").encode()],
        font=FONT,
        more=[one.encode() for one in annotations],
        root=b"/AcroForm<</Fields[4 0 R]>>",
        page=b"",
    ).replace(b"/MediaBox", b"/Annots[4 0 R 5 0 R 6 0 R]/MediaBox", 1)


def letter():
    alternative = many(
        b"alternative",
        part(b"text/plain", kept("plain").encode()),
        part(b"text/html", f"<p>{left('html')}</p>".encode()),
    ).removeprefix(HEAD).replace(b"boundary=b", b"boundary=c").replace(b"--b", b"--c")  # fmt: skip
    inner = f"Subject: {kept('subject')}\n\n{kept('forwarded')}".encode()
    attached = b"Content-Disposition: attachment\n"
    return many(
        b"mixed",
        alternative,
        part(b"text/plain", kept("second").encode()),
        part(b"image/png; name=" + left("picture").encode(), b"xx"),
        part(b"text/html", f"<table><td>{kept('cell')}</td></table>".encode()),
        part(b"message/rfc822", inner),
        part(b"text/csv; name=a.csv", kept("attachment").encode(), attached),
        part(b"application/pdf; name=b.pdf", left("attachment").encode(), attached),
        part(b"text/calendar", left("calendar").encode()),
    )


def html_page():
    body = (
        f"<h1>{kept('heading')}</h1><p>{kept('paragraph')}<br>{kept('line')}</p><p>{kept('two')}"
        f" <b>{kept('bold')}</b></p>"
        f"<figure><img/><figcaption>{kept('caption')}</figcaption></figure>"
        f"<ul><li>{kept('item')}</li></ul><table><tr><td>{kept('cell')}</td></tr></table>"
        f"<blockquote>{kept('quote')}</blockquote><pre>{kept('pre')}</pre>"
        f"<script>{left('script')}</script><style>{left('style')}</style><!-- {left('comment')} -->"
        f"<noscript>{left('noscript')}</noscript>"
        f'<img alt="{left("alt")}"/>'
    )
    return page("<title/>", body)


def epub_file():
    items = [(name, f"{name}.xhtml", PAGE) for name in "abc"]
    nav = ("n", "nav.xhtml", f'{PAGE} properties="nav"')
    files = {f"OEBPS/{name}.xhtml": html_page() for name in "abc"}
    files["OEBPS/nav.xhtml"] = page("", f"<p>{left('nav')}</p>")
    return book([*items, nav], ["b", '<itemref idref="a" linear="no"/>'], files)


def slides():
    drawn = f"<dgm:pt><dgm:t>{office.line(kept('diagram'))}</dgm:t></dgm:pt>"
    shapes = office.shape(kept("title"), kind="title") + office.shape(kept("one"), kept("two"))
    shapes += office.shape(left("number"), kind="sldNum") + office.shape(left("foot"), kind="ftr")
    shapes += office.grid([kept("cell"), kept("cell")]) + office.diagram()
    shapes += f"<p:grpSp>{office.shape(kept('grouped'))}</p:grpSp>"
    choice = f"<mc:Choice>{office.shape(kept('choice'))}</mc:Choice>"
    shapes += f'<mc:AlternateContent xmlns:mc="m">{choice}<mc:Fallback/></mc:AlternateContent>'
    return office.pptx([shapes], [office.shape(kept("notes"), kind="body")], drawn)


def open_blocks():
    note = f"<text:note-body>{office.paragraph(kept('note'))}</text:note-body>"
    gone = f"<office:annotation>{office.paragraph(left('comment'))}</office:annotation>"
    span = f"<text:span>{kept('span')} <text:a>{kept('link')}</text:a></text:span>"
    item = f"<text:list-item>{office.paragraph(kept('item'))}</text:list-item>"
    return (
        office.paragraph(kept("heading"), "h"),
        office.paragraph(f"{kept('text')} {span}<text:note>{note}</text:note> {kept('on')}{gone}"),
        f"<text:tracked-changes>{office.paragraph(left('deleted'))}</text:tracked-changes>",
        f"<text:section><text:list>{item}</text:list></text:section>",
        office.paragraph(office.box(kept("box"), kept("box"))),
        office.odf_table([kept("cell"), kept("cell")], [kept("cell")]),
    )


def open_slides():
    notes = f"<presentation:notes>{office.box(kept('notes'))}</presentation:notes>"
    return office.odp(office.box(kept("title")) + office.box(kept("text")) + notes)


def sheets():
    return {"One": [[kept("cell"), kept("cell")], [kept("cell")]], "Two": [[kept("other")]]}


def table(separator):
    rows = [("text", "n"), *((kept("cell"), "1") for _ in range(3))]
    return "".join(separator.join(row) + "\n" for row in rows).encode()


def rows():
    return [{"text": kept("row")}, {"text": f"{kept('line')}\n{kept('line')}"}]


def plain():
    return "\n".join(kept("line") for _ in range(3)).encode()


FILES = {
    **dict.fromkeys((".docx", ".docm", ".dotx", ".dotm"), word_file),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx", ".ppsm", ".potx"), slides),
    **dict.fromkeys((".odt", ".ott"), lambda: office.odt(*open_blocks())),
    **dict.fromkeys((".odp", ".otp"), open_slides),
    **dict.fromkeys((".xlsx", ".xlsm"), lambda: office.xlsx(**sheets())),
    ".ods": lambda: office.ods(**sheets()),
    **dict.fromkeys((".xhtml", ".xht"), html_page),
    **dict.fromkeys((".txt", ".text", ".md", ".markdown", ".rst", ".py"), plain),
    **dict.fromkeys(
        (".jsonl", ".ndjson"), lambda: b"\n".join(json.dumps(r).encode() for r in rows())
    ),
    **dict.fromkeys((".html", ".htm"), lambda: html_page().replace(b"<title/>", b"")),
    ".json": lambda: json.dumps(rows()).encode(),
    ".csv": lambda: table(","),
    ".tsv": lambda: table("\t"),
    ".parquet": lambda: parquet(rows()),
    ".pdf": pdf_file,
    ".epub": epub_file,
    ".eml": letter,
    ".emlx": lambda: b"%d\n%s<plist/>" % (len(one := letter()), one),
    ".mbox": lambda: b"From a@b Mon May  6 07:08:09 2024\n" + letter() + b"\n",
    ".warc": lambda: warc(html_page(), "application/xhtml+xml") + warc(plain(), "text/plain"),
    ".wet": lambda: warc(plain(), "text/plain"),
}
_WORD = re.compile(r"(?:in|out)[a-z]+\d{4}")


@pytest.mark.parametrize("packing", ["", ".gz"])
@pytest.mark.parametrize("suffix", sorted({*READERS, *RECORD_READERS, *ARCHIVE_READERS}))
def test_every_word_that_went_in_comes_out_once(tmp_path, suffix, packing):
    first = next(_numbers)
    data = FILES[suffix]()
    expected = set(range(first + 1, next(_numbers)))
    path = tmp_path / f"a{suffix}{packing}"
    path.write_bytes(gzip.compress(data) if packing else data)
    items = list(read_file(path))
    assert all(isinstance(item, Document) for item in items), items
    found = Counter(word for item in items for word in _WORD.findall(item.text))
    assert not [word for word in found if word.startswith("out")]
    assert set(found.values()) == {1}
    numbers = {int(word[-4:]) for word in found}
    assert numbers <= expected
    lost = expected - numbers
    planted = {int(number) for number in re.findall(r"out[a-z]+(\d{4})", _shown(suffix, data))}
    assert lost <= planted, "only what stays out on purpose is not there"


def _shown(suffix, data):
    """What stands in a file as it lies there; a Word file is an archive of texts."""
    import zipfile

    if not data.startswith(b"PK"):
        return data.decode("utf-8", "replace")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return "\n".join(
            archive.read(name).decode("utf-8", "replace") for name in archive.namelist()
        )


def test_lists_near_the_top_of_a_page_are_no_menus():
    from hornbook.read.formats.html import page_text

    words = "<p>" + "A paragraph of words. " * 5 + "</p>"
    listed = '<ul><li>first item</li><li>second <a href="x">item</a></li></ul>'
    menu = '<ul><li><a href="a">Home</a></li><li><a href="b">About</a></li></ul>'
    for depth in range(5):
        inner = menu + words + listed + words + "<footer>Imprint</footer>"
        page = f"<body>{'<div>' * depth}{inner}{'</div>' * depth}</body>"
        text = page_text(page.encode()).text
        assert "first item" in text and "second item" in text, depth
        assert "Home" not in text and (depth or "Imprint" not in text)


def test_what_is_left_out_on_purpose_is_written_down():
    english = (DOCS / "corpus.md").read_text(encoding="utf-8")
    for what in (
        "deleted text", "page headers", "comments", "instructions of fields", "sticky notes",
        "alternative", "calendar", "table of contents", "scripts", "glossary",
    ):  # fmt: skip
        assert what in english, what
    chinese = (DOCS / "corpus.zh.md").read_text(encoding="utf-8")
    for what in ("删除的文字", "页眉", "批注", "域代码", "便笺", "日历", "脚本", "自动编号"):
        assert what in chinese, what
