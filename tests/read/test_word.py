"""Word files: text in every place the format can hold it, once, and none that was deleted."""

import io
import zipfile

import pytest

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.docx import read_docx

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
SPACES = (
    f'xmlns:r="{OFFICE}/relationships" xmlns:m="{OFFICE}/math"'
    ' xmlns:v="urn:schemas-microsoft-com:vml"'
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
    ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
)


def relations(*items):
    rows = "".join(
        f'<Relationship Id="{id}" Type="{OFFICE}/relationships/{kind}" Target="{target}"/>'
        for id, kind, target in items
    )
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{space}">{rows}</Relationships>'


def word(body, parts=None, related=(), main="word/document.xml", space=W):
    """A Word file of this XML. parts: others by name. related: (id, kind, target) of the body."""
    folder, _, name = main.rpartition("/")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", relations(("r1", "officeDocument", main)))
        document = f'<w:document xmlns:w="{space}" {SPACES}><w:body>{body}</w:body></w:document>'
        archive.writestr(main, document)
        if related:
            archive.writestr(f"{folder}/_rels/{name}.rels", relations(*related))
        for part, data in (parts or {}).items():
            archive.writestr(part, data)
    return out.getvalue()


def items(data):
    return list(read_docx(io.BytesIO(data), "a.docx"))


def text(body, *args, **kwargs):
    (item,) = items(word(body, *args, **kwargs))
    assert isinstance(item, Document), item
    return item.text


def r(text):
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def p(*inner, more=""):
    return f"<w:p>{more}{''.join(one if one.startswith('<') else r(one) for one in inner)}</w:p>"


def tc(*blocks, more=""):
    return f"<w:tc>{more}{''.join(b if b.startswith('<') else p(b) for b in blocks)}</w:tc>"


def tr(*cells, more=""):
    return f"<w:tr>{more}{''.join(c if c.startswith('<') else tc(c) for c in cells)}</w:tr>"


def tbl(*rows):
    return f"<w:tbl><w:tblPr/>{''.join(rows)}</w:tbl>"


def sdt(inner):
    properties = "<w:sdtPr><w:alias w:val='no'/></w:sdtPr>"
    return f"<w:sdt>{properties}<w:sdtContent>{inner}</w:sdtContent></w:sdt>"


def m(name, *inner):
    """An element of an equation; text is put into a run."""
    parts = (one if one.startswith("<") else f"<m:r><m:t>{one}</m:t></m:r>" for one in inner)
    return f"<m:{name}>{''.join(parts)}</m:{name}>"


def either(*forms):
    names = ("Choice", "Fallback")
    inner = "".join(f"<mc:{n}>{form}</mc:{n}>" for n, form in zip(names, forms, strict=False))
    return f"<mc:AlternateContent>{inner}</mc:AlternateContent>"


def char(kind):
    return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'


def instruction(text):
    return f"<w:r><w:instrText>{text}</w:instrText></w:r>"


def shape(*blocks):
    """A text box as Word writes it: twice, for itself and for old programs."""
    inner = f"<w:txbxContent>{''.join(blocks)}</w:txbxContent>"
    modern = f"<wps:wsp><wps:txbx>{inner}</wps:txbx></wps:wsp>"
    graphic = f"<a:graphic><a:graphicData>{modern}</a:graphicData></a:graphic>"
    return (
        "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wp:anchor>"
        f"{graphic}</wp:anchor></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape>"
        f"<v:textbox>{inner}</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )


INLINE = {
    "inserted": (f"<w:ins>{r('new ')}</w:ins>", "new "),
    "deleted": ("<w:del><w:r><w:delText>old</w:delText></w:r></w:del>", ""),
    "deleted in an insertion": (f"<w:ins>{r('a')}<w:del>{r('b')}</w:del></w:ins>", "a"),
    "moved to": (f"<w:moveTo>{r('here ')}</w:moveTo>", "here "),
    "moved from": (f"<w:moveFrom>{r('there ')}</w:moveFrom>", ""),
    "control": (sdt(r("field")), "field"),
    "controls in controls": (sdt(sdt(r("deep"))), "deep"),
    "smart tag": (f"<w:smartTag><w:smartTagPr/>{r('tag')}</w:smartTag>", "tag"),
    "custom XML": (f"<w:customXml>{r('custom')}</w:customXml>", "custom"),
    "simple field": (f'<w:fldSimple w:instr="DATE">{r("today")}</w:fldSimple>', "today"),
    "link": (f'<w:hyperlink w:anchor="x">{r("link")}</w:hyperlink>', "link"),
    "direction": (f'<w:bdo w:val="rtl">{r("bidi")}</w:bdo><w:dir>{r("ltr")}</w:dir>', "bidiltr"),
    "complex field": (
        char("begin") + instruction("PAGEREF x") + char("separate") + r("7") + char("end"),
        "7",
    ),
    "field without result": (char("begin") + instruction('XE "index"') + char("end"), ""),
    "field in a field": (
        char("begin") + instruction("IF ") + char("begin") + instruction("NAME")
        + char("separate") + r("hidden") + char("end") + instruction(" = 1")
        + char("separate") + r("shown") + char("end"),
        "shown",
    ),
    "list to choose from": (
        '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/>'
        '<w:listEntry w:val="first"/><w:listEntry w:val="second"/></w:ddList></w:ffData>'
        f"</w:fldChar></w:r>{instruction('FORMDROPDOWN')}{char('end')}",
        "second",
    ),
    "field that never ends": (char("begin") + instruction("TOC") + r("kept"), "kept"),
    "field that never began": (char("end") + r("kept"), "kept"),
    "signs": (
        "<w:r><w:tab/><w:t>a</w:t><w:br/><w:t>b</w:t><w:cr/><w:t>c</w:t><w:ptab/></w:r>",
        "\ta\nb\nc\t",
    ),
    "hyphens": (
        "<w:r><w:t>co</w:t><w:softHyphen/><w:t>op well</w:t><w:noBreakHyphen/></w:r>" + r("known"),
        "coop well-known",
    ),
    "symbol": ('<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>', "α"),
    "symbol of no known font": ('<w:r><w:sym w:font="Foo" w:char="F061"/></w:r>', "\ufffd"),
    "hidden": ("<w:r><w:rPr><w:vanish/></w:rPr><w:t>kept</w:t></w:r>", "kept"),
    "ruby": (
        f"<w:r><w:ruby><w:rubyPr/><w:rt>{r('かんじ')}</w:rt>"
        f"<w:rubyBase>{r('漢字')}</w:rubyBase></w:ruby></w:r>",
        "漢字(かんじ)",
    ),
    "equation": (m("oMath", "E=m", m("sSup", m("e", "c"), m("sup", "2"))), "E=mc^2"),
    "fraction": (m("oMathPara", m("oMath", m("f", m("num", "a+b"), m("den", "2")))), "(a+b)/2"),
    "root and brackets": (m("oMath", m("rad", m("e", "x")), m("d", m("e", "y"))), "√x(y)"),
    "sum": (m("oMath", m("nary", m("sub", "0"), m("sup", "n"), m("e", "i"))), "∫_0^n i"),
    "matrix": (
        m("oMath", m("m", m("mr", m("e", "a"), m("e", "b")), m("mr", m("e", "c")))),
        "a, b; c",
    ),
    "alternative without a fallback": (either(r("only")), "only"),
    "alternatives": (either(r("one"), r("two")), "one"),
    "alternatives, the first without text": (either("<w:r/>", r("two")), "two"),
    "comment": ('<w:commentRangeStart w:id="1"/><w:r><w:commentReference w:id="1"/></w:r>', ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", INLINE)
def test_words_inside_a_paragraph(kind):
    inner, expected = INLINE[kind]
    assert text(p("A", inner, "Z")) == f"A{expected}Z"
    assert text(tbl(tr(tc(p("A", inner, "Z")), "x"))) == f"A{expected}Z\tx"
    assert text(p("A", inner, "Z"), space=STRICT) == f"A{expected}Z"


def test_blocks_in_wrappers():
    wrapped = (sdt(p("in a control")), f"<w:customXml>{p('in custom XML')}</w:customXml>")
    body = p("first") + "".join(wrapped) + f"<w:ins>{p('inserted')}</w:ins>" + p("last")
    alone = m("oMathPara", m("oMath", "x=1"))
    assert text(p("A") + alone + p("B")) == "A\n\nx=1\n\nB"
    assert text(body).split("\n\n") == [
        "first",
        "in a control",
        "in custom XML",
        "inserted",
        "last",
    ]


def test_tables():
    wide = tc("wide", more='<w:tcPr><w:gridSpan w:val="100000000"/></w:tcPr>')
    start = tc("tall", more='<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>')
    below = tc("", more="<w:tcPr><w:vMerge/></w:tcPr>")
    odd = tc("never restarted", more="<w:tcPr><w:vMerge/></w:tcPr>")
    assert text(tbl(tr(wide), tr("a", "b"))) == "wide\na\tb"
    assert text(tbl(tr(start, "a"), tr(below, "b"), tr("c"))) == "tall\ta\n\tb\nc"
    assert text(tbl(tr("a", odd, "b"))) == "a\tnever restarted\tb"
    assert text(tbl(tr(tc(tbl(tr("in", "ner"))), "out"))) == "in\tner\tout"
    assert text(tbl(sdt(tr("row in a control")), tr(sdt(tc("cell")), "x"))) == (
        "row in a control\ncell\tx"
    )
    gone = tr("deleted row", more="<w:trPr><w:del/></w:trPr>")
    added = tr("added row", more="<w:trPr><w:ins/></w:trPr>")
    cut = tc("deleted cell", more="<w:tcPr><w:cellDel/></w:tcPr>")
    assert text(tbl(gone, added, tr(cut, "kept"))) == "added row\nkept"
    assert text(p("A") + tbl(tr(tc("one", "two"), "x")) + p("B")) == "A\n\none\ntwo\tx\n\nB"


def test_paragraphs_that_go_on():
    mark = "<w:pPr><w:rPr><w:del/></w:rPr></w:pPr>"
    cap = '<w:pPr><w:framePr w:dropCap="drop"/></w:pPr>'
    assert text(p("one ", more=mark) + p("two") + p("three")) == "one two\n\nthree"
    assert text(p("last", more=mark)) == "last"
    assert text(tbl(tr(tc(p("cell", more=mark)), "x"))) == "cell\tx"
    assert text(p("O", more=cap) + p("nce upon")) == "Once upon"


def test_boxes_follow_their_paragraph_once():
    inner = shape(p("box in a box"))
    assert text(p("A", shape(p("in a box"), tbl(tr("x", "y"))), "Z") + p("B")) == (
        "AZ\n\nin a box\n\nx\ty\n\nB"
    )
    assert text(p("A", shape(p("outer", inner)))) == "A\n\nouter\n\nbox in a box"
    old = f"<w:r><w:pict><v:rect><v:textbox><w:txbxContent>{p('old box')}</w:txbxContent>"
    assert text(p("A", f"{old}</v:textbox></v:rect></w:pict></w:r>")) == "A\n\nold box"
    art = '<w:r><w:pict><v:shape><v:textpath string="Word art"/></v:shape></w:pict></w:r>'
    assert text(p("A", art)) == "A\n\nWord art"
    cell = tbl(tr(tc(p("A", shape(p("in a cell")))), "x"))
    assert text(cell) == "A\nin a cell\tx"


NOTE = "<w:footnotes xmlns:w='{w}'><w:footnote w:id='-1' w:type='separator'>{line}</w:footnote>"


def test_notes():
    def reference(kind, id):
        return f'<w:r><w:{kind}Reference w:id="{id}"/></w:r>'

    foot = (
        NOTE.format(w=W, line=p("line"))
        + f"<w:footnote w:id='2'>{p('The ', sdt(r('note')), '.')}{p('More.')}</w:footnote>"
        + f"<w:footnote w:id='3'>{p('Nobody refers to it.')}</w:footnote></w:footnotes>"
    )
    end = (
        f"<w:endnotes xmlns:w='{W}'><w:endnote w:id='1'>{p('At the end.')}</w:endnote></w:endnotes>"
    )
    body = p("One", reference("footnote", 2), reference("endnote", 1)) + p("Two")
    found = text(body, {"word/footnotes.xml": foot, "word/endnotes.xml": end})
    assert found == "One\n\nThe note.\nMore.\n\nTwo\n\nAt the end."
    other = {"content/f.xml": foot.encode("utf-16")}
    related = [("a", "footnotes", "f.xml")]
    found = text(body, other, related, main="content/doc.xml")
    assert found == "One\n\nThe note.\nMore.\n\nTwo"
    cell = tbl(tr(tc(p("A", reference("footnote", 2))), "B"))
    assert text(cell, {"word/footnotes.xml": foot}) == "A\tB\n\nThe note.\nMore."


def test_parts_in_other_formats():
    chunk = '<w:altChunk r:id="c"/>'
    html = {"word/a.html": "<p>From a page</p><p>Two</p>"}
    related = [("c", "aFChunk", "a.html")]
    assert text(p("A") + chunk + p("B"), html, related) == "A\n\nFrom a page\n\nTwo\n\nB"
    inner = word(p("From a document"))
    related = [("c", "aFChunk", "/word/a.docx")]
    assert text(p("A") + chunk, {"word/a.docx": inner}, related) == "A\n\nFrom a document"
    data = word(p("A") + chunk, {"word/a.rtf": b"{\\rtf1 x}"}, [("c", "aFChunk", "a.rtf")])
    rejected, document = items(data)
    assert (rejected.reason, rejected.detail) == ("embedded part", "word/a.rtf is not read")
    assert document.text == "A"
    graphic = '<a:graphic><dgm:relIds r:dm="d"/></a:graphic>'
    drawing = f"<w:r><w:drawing><wp:inline>{graphic}</wp:inline></w:drawing></w:r>"
    points = "".join(
        f"<dgm:pt><dgm:t><a:p><a:r><a:t>{t}</a:t></a:r></a:p></dgm:t></dgm:pt>"
        for t in ("Plan", "Do")
    )
    diagram = {"word/diagrams/d.xml": f"<dgm:dataModel {SPACES}>{points}</dgm:dataModel>"}
    related = [("d", "diagramData", "diagrams/d.xml")]
    assert text(p("A", drawing), diagram, related) == "A\n\nPlan\n\nDo"


def test_what_is_left_out_on_purpose():
    comment = f"<w:comment w:id='1'>{p('Hm')}</w:comment>"
    roots = {
        "word/header1.xml": ("hdr", p("Page header")),
        "word/comments.xml": ("comments", comment),
        "word/glossary/document.xml": ("glossaryDocument", p("Part")),
    }
    parts = {
        name: f"<w:{root} xmlns:w='{W}'>{inner}</w:{root}>" for name, (root, inner) in roots.items()
    }
    reference = '<w:r><w:commentReference w:id="1"/></w:r>'
    assert text(p("Only this", reference), parts) == "Only this"


def test_title_and_files_that_are_none():
    core = (
        "<c xmlns='http://schemas.openxmlformats.org/package/2006/metadata/core-properties'"
        " xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:title>A  title</dc:title></c>"
    )
    (item,) = items(word(p("x"), {"docProps/core.xml": core}))
    assert item.metadata == {"title": "A title"}
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)
    cases = {
        "old Word file": ole,
        "encrypted Word file": ole + "EncryptedPackage".encode("utf-16-le"),
        "broken Word file": b"PK",
    }
    for reason, data in cases.items():
        (rejected,) = items(data)
        assert isinstance(rejected, Rejection) and rejected.reason == reason


def test_tables_in_tables_without_end():
    body = "<w:tbl><w:tr><w:tc>" * 3000 + p("x") + "</w:tc></w:tr></w:tbl>" * 3000
    (item,) = items(word(body))
    assert isinstance(item, Document | Rejection)


def test_many_fields_and_rows_take_no_longer_each():
    fields = [char("begin")] * 3000 + [r("x")] * 3000
    assert text(p(*fields)) == "x" * 3000
    assert text(tbl(*[tr("a", "b")] * 500)).count("\n") == 499
    assert text(p("A", '<w:r><w:sym w:font="Symbol" w:char="no"/></w:r>')) == "A\ufffd"
