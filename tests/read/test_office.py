"""Slides, OpenDocument and workbooks: text in every place, in the order in which it is shown."""

import functools
import io
import zipfile

import pytest

from hornbook.read.documents import Document, Rejection
from hornbook.read.sources import read_here
from tests.read.test_word import relations

A = "http://schemas.openxmlformats.org/drawingml/2006/main"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
S = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DGM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
SPACES = f'xmlns:a="{A}" xmlns:p="{P}" xmlns:r="{R}" xmlns:dgm="{DGM}"'
ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{place}:1.0"'
    for name, place in {
        "office": "office", "text": "text", "table": "table", "draw": "drawing",
        "presentation": "presentation", "meta": "meta",
    }.items()
) + ' xmlns:dc="http://purl.org/dc/elements/1.1/"'  # fmt: skip
MANIFEST = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
CORE = (
    '<c:coreProperties xmlns:c="x" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:title>{}</dc:title></c:coreProperties>"
)


def archive(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name, data)
    return out.getvalue()


def line(text):
    return f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"


def shape(*lines, kind=""):
    holder = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    return f"<p:sp>{holder}<p:txBody>{''.join(map(line, lines))}</p:txBody></p:sp>"


def grid(*rows):
    cells = "".join(
        f"<a:tr>{''.join(f'<a:tc><a:txBody>{line(cell)}</a:txBody></a:tc>' for cell in row)}</a:tr>"
        for row in rows
    )
    return f"<p:graphicFrame><a:graphic><a:tbl>{cells}</a:tbl></a:graphic></p:graphicFrame>"


def diagram():
    return '<p:graphicFrame><dgm:relIds r:dm="d1" r:lo="d2"/></p:graphicFrame>'


def pptx(slides, notes=(), data="", title=""):
    """A presentation; slides: the shapes of each. notes: of the first slides. data: a diagram's."""
    count = range(1, len(slides) + 1)
    # The files of the slides are numbered against their order.
    names = {i: f"slides/slide{len(slides) + 1 - i}.xml" for i in count}
    ids = "".join(f'<p:sldId id="{255 + i}" r:id="s{i}"/>' for i in count)
    parts = {
        "_rels/.rels": relations(("r1", "officeDocument", "ppt/presentation.xml"),
                                 ("r2", "core-properties", "docProps/core.xml")),
        "docProps/core.xml": CORE.format(title),
        "ppt/presentation.xml":
            f"<p:presentation {SPACES}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels":
            relations(*((f"s{i}", "slide", names[i]) for i in count)),
        "ppt/diagrams/data1.xml": f"<dgm:dataModel {SPACES}>{data}</dgm:dataModel>",
    }  # fmt: skip
    for i, shapes in enumerate(slides, 1):
        name = names[i]
        parts[f"ppt/{name}"] = f"<p:sld {SPACES}><p:spTree>{shapes}</p:spTree></p:sld>"
        own = [("d1", "diagramData", "../diagrams/data1.xml")]
        if i <= len(notes):
            own.append(("n1", "notesSlide", f"../notesSlides/note{i}.xml"))
            parts[f"ppt/notesSlides/note{i}.xml"] = f"<p:notes {SPACES}>{notes[i - 1]}</p:notes>"
        parts[f"ppt/slides/_rels/{name.rpartition('/')[2]}.rels"] = relations(*own)
    return archive(parts)


def open_document(body, title="", more=None):
    content = f"<office:document-content {ODF}><office:body>{body}</office:body>"
    meta = f"<office:document-meta {ODF}><dc:title>{title}</dc:title></office:document-meta>"
    content += "</office:document-content>"
    return archive({"content.xml": content, "meta.xml": meta, **(more or {})})


def odt(*blocks, **more):
    return open_document(f"<office:text>{''.join(blocks)}</office:text>", **more)


def odp(*slides, **more):
    pages = "".join(f"<draw:page>{slide}</draw:page>" for slide in slides)
    return open_document(f"<office:presentation>{pages}</office:presentation>", **more)


def paragraph(text, kind="p"):
    return f"<text:{kind}>{text}</text:{kind}>"


def box(*texts):
    inside = "".join(map(paragraph, texts))
    return f"<draw:frame><draw:text-box>{inside}</draw:text-box></draw:frame>"


def odf_table(*rows):
    def cell(text):
        return f"<table:table-cell>{paragraph(text)}</table:table-cell>"

    lines = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    return f"<table:table><table:table-rows>{lines}</table:table-rows></table:table>"


def xlsx(**sheets):
    """A workbook; of each sheet the rows, each a list of texts and numbers."""
    names = list(sheets)
    listed = "".join(
        f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(names, 1)
    )
    parts = {
        "[Content_Types].xml":
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": relations(("r1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml":
            f'<workbook xmlns="{S}" xmlns:r="{R}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(
            *((f"r{i}", "worksheet", f"worksheets/sheet{i}.xml") for i in range(1, len(names) + 1))
        ),
    }  # fmt: skip
    for i, rows in enumerate(sheets.values(), 1):
        lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
        parts[f"xl/worksheets/sheet{i}.xml"] = (
            f'<worksheet xmlns="{S}"><sheetData>{lines}</sheetData></worksheet>'
        )
    return archive(parts)


def _cell(value):
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def ods(**sheets):
    def cell(value):
        if isinstance(value, str):
            return (
                f'<table:table-cell office:value-type="string">{paragraph(value)}'
                "</table:table-cell>"
            )
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    tables = "".join(
        f'<table:table table:name="{name}">'
        + "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    content = f"<office:document-content {ODF}><office:body><office:spreadsheet>{tables}"
    content += "</office:spreadsheet></office:body></office:document-content>"
    manifest = f'<m:manifest xmlns:m="{MANIFEST}"/>'
    return archive({"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content})


def read(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return list(read_here(path))


def test_slides_in_their_order_with_notes_tables_and_diagrams(tmp_path):
    first = (
        shape("The Lease", kind="title") + shape("Rent", "300 euros") + shape("7", kind="sldNum")
    )
    second = (
        grid(["Mill", "300"], ["Barn", "200"]) + diagram() + f"<p:grpSp>{shape('In')}</p:grpSp>"
    )
    notes = [shape("Say it slowly.", kind="body") + shape("1", kind="sldNum")]
    data = pptx([first, second], notes, "<dgm:pt><dgm:t>" + line("Step") + "</dgm:t></dgm:pt>", "T")
    (document,) = read(tmp_path, "a.pptx", data)
    assert document.text == (
        "The Lease\n\nRent\n300 euros\n\nSay it slowly.\n\nMill\t300\nBarn\t200\n\nStep\n\nIn\n\n"
    )
    pages = document.metadata["pages"]
    assert document.text[pages[1] :].startswith("Mill") and document.metadata["title"] == "T"


def test_an_open_document(tmp_path):
    spaces = "two<text:s text:c='2'/>spaces<text:tab/>and<text:line-break/>a line"
    note = (
        "Rent<text:note><text:note-citation>1</text:note-citation>"
        f"<text:note-body>{paragraph('Of the mill.')}</text:note-body></text:note> is due."
    )
    gone = f"<office:annotation>{paragraph('A comment')}</office:annotation>"
    ruby = "<text:ruby-base>漢字</text:ruby-base><text:ruby-text>かんじ</text:ruby-text>"
    item = f"<text:list><text:list-item>{paragraph('An item')}</text:list-item></text:list>"
    data = odt(
        paragraph("Heading", "h"), paragraph(spaces), paragraph(note + gone), item,
        paragraph(f"<text:ruby>{ruby}</text:ruby>" + box("In a box")),
        odf_table(["a", "b"], ["c", "d"]), title="Lease",
    )  # fmt: skip
    (document,) = read(tmp_path, "a.odt", data)
    assert document.metadata == {"title": "Lease"}
    assert document.text == (
        "Heading\n\ntwo  spaces\tand\na line\n\nRent is due.\n\nOf the mill.\n\nAn item\n\n"
        "漢字(かんじ)\n\nIn a box\n\na\tb\nc\td"
    )


def test_slides_of_open_document(tmp_path):
    (document,) = read(tmp_path, "a.odp", odp(box("One", "two"), box("Three")))
    assert document.text == "One\n\ntwo\n\nThree\n\n"
    assert document.metadata["pages"] == [0, 10]


@pytest.mark.parametrize(("name", "made"), [("a.xlsx", xlsx), ("a.ods", ods)])
def test_a_sheet_is_a_document_and_a_row_a_line(tmp_path, name, made):
    rows = [["town", "height"], ["Wells", 55.0], ["Ely", 66.5]]
    first, second = read(tmp_path, name, made(Spires=rows, Empty=[], Rents=[["Mill", 300]]))
    assert first.text == "town\theight\nWells\t55\nEly\t66.5"
    assert (first.metadata["title"], second.metadata["title"]) == ("Spires", "Rents")
    assert second.text == "Mill\t300"


@functools.cache
def bomb():
    return archive({"content.xml": b" " * (65 * 2**20)})


@pytest.mark.parametrize("suffix", [".pptx", ".odt", ".odp", ".xlsx", ".ods"])
def test_what_cannot_be_read_is_named(tmp_path, suffix):
    empty = archive({"other.xml": "<a/>"})
    sealed = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    )
    for data, reason in ((empty, "broken"), (bomb(), "too large"), (b"PK\x03\x04", "broken")):
        (item,) = read(tmp_path, f"a{suffix}", data)
        assert isinstance(item, Rejection) and reason in item.reason
    (item,) = read(tmp_path, f"a{suffix}", sealed)
    assert isinstance(item, Rejection)
    if suffix in (".pptx", ".odt", ".odp"):
        assert "encrypted" in item.reason


def test_a_password(tmp_path):
    manifest = {"META-INF/manifest.xml": "<m><encryption-data/></m>"}
    (item,) = read(tmp_path, "a.odt", odt(paragraph("x"), more=manifest))
    assert item.reason == "encrypted OpenDocument file"


def test_a_workbook_without_cells(tmp_path):
    (item,) = read(tmp_path, "a.xlsx", xlsx(One=[], Two=[["", ""]]))
    assert not isinstance(item, Document) and item.reason == "empty"
