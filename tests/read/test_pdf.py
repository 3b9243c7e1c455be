"""PDF: words whole, glyphs as characters, what is filled in, and pages that hold no text."""

import io

import pytest

from hornbook.read.documents import Document
from hornbook.read.formats.hyphens import MARK, Hyphens
from hornbook.read.formats.pdf import read_pdf

FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def pdf(*pages, font=FONT, more=(), page=b"", root=b""):
    """A PDF of pages of lines. more: objects from number 4 on; page, root: more entries."""
    first = 4 + len(more)
    kids = b" ".join(b"%d 0 R" % (first + 2 * i) for i in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R%s>>" % root,
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), kids),
        font,
        *more,
    ]
    for i, lines in enumerate(pages):
        shown = b" ".join(b"(" + line + b") Tj T*" for line in lines)
        text = b"BT /F 12 Tf 14 TL 20 400 Td " + shown + b" ET"
        box = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 500]/Contents %d 0 R%s"
        resources = b"/Resources<</Font<</F 3 0 R>>>>>>"
        objects.append(box % (first + 2 * i + 1, page) + resources)
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(text), text))
    out = b"%PDF-1.4\n"
    for number, body in enumerate(objects, 1):
        out += b"%d 0 obj%s endobj\n" % (number, body)
    return out + b"trailer<</Size %d/Root 1 0 R>>\n%%%%EOF" % (len(objects) + 1)


def one(data):
    (item,) = read_pdf(io.BytesIO(data), "a.pdf")
    assert isinstance(item, Document), item
    return item


def test_words_at_line_ends_in_a_file():
    lines = [b"The inter-", b"national court, a well-", b"known and long-term com-", b"mitment."]
    assert one(pdf(lines)).text == (
        "The international court, a well-known and long-term commitment.\n\n"
    )
    first, second = (
        [b"One page says cofactor and", b"so does this: co-"],
        [b"factor co-", b"factor"],
    )
    document = one(pdf([*first, b"factor"], second))
    start = document.metadata["pages"][1]
    assert document.text[:start].endswith("this: cofactor\n")
    assert document.text[start:] == "factor cofactor\n\n"


JOINED = {
    "inter|national": "international",
    "com|mitment": "commitment",
    "well|known": "well-known",
    "self|evident": "self-evident",
    "self|ish": "selfish",
    "well|ness": "wellness",
    "long|term": "long-term",
    "long|itude": "longitude",
    "high|light": "highlight",
    "evidence|based": "evidence-based",
    "un|known": "unknown",
    "anti|inflammatory": "anti-inflammatory",
    "twenty|one": "twenty-one",
    "two|thirds": "two-thirds",
    "decision|making": "decision-making",
    "high|er": "higher",
    "Jean|Paul": "Jean-Paul",
    "UTF|8": "UTF-8",
    "DNA|binding": "DNA-binding",
    "INTER|NATIONAL": "INTERNATIONAL",
    "state-of-the|art": "state-of-the-art",
    "n|tridecanal": "n-tridecanal",
    "Vor|und Nach|teile": "Vor- und Nachteile",
    "Donau|dampf": "Donaudampf",
    "между|народный": "международный",
    "https://a.example/some|page": "https://a.example/some-page",
    "me@some|host.example": "me@some-host.example",
    "price|": "price-",
    "price/perform|ance": "price/performance",
    "exten|sion, con|tinued": "extension, continued",
}


@pytest.mark.parametrize("broken", JOINED)
def test_where_a_hyphen_stays(broken):
    text = f"before {broken.replace('|', MARK)} after"
    assert Hyphens(text).rejoin(text) == f"before {JOINED[broken]} after"


def test_the_document_is_the_first_witness():
    text = (
        f"A co-worker and wellknown men. The co{MARK}worker is well{MARK}known, price{MARK}based."
    )
    assert Hyphens(text).rejoin(text).endswith("The co-worker is wellknown, price-based.")
    text = "inter-national " * 2 + f"international. inter{MARK}national"
    assert Hyphens(text).rejoin(text).endswith("inter-national")
    long = "x" * 100_000 + MARK
    assert len(Hyphens(long * 20).rejoin(long * 20)) <= 20 * len(long)


def test_glyphs():
    """A font that says which characters its glyphs are, some of them in its own private area."""
    signs = "ﬁﬂ\uf0b7\ue123\u00adA\u2022"
    rows = b"".join(b"<%02X><%04X>\n" % (65 + i, ord(sign)) for i, sign in enumerate(signs))
    table = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        b"1 begincodespacerange <00><FF> endcodespacerange\n"
        b"%d beginbfchar\n%sendbfchar\nendcmap end end" % (len(signs), rows)
    )
    stream = b"<</Length %d>>stream\n%s\nendstream" % (len(table), table)
    font = FONT[:-2] + b"/ToUnicode 4 0 R>>"
    document = one(pdf([b"ABCDFG"], font=font, more=[stream]))
    assert document.text == "fifl•\ufffdA•\n\n"
    assert document.metadata["characters_replaced"] == 1


def test_what_is_filled_in_and_written_on_a_page():
    field = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Filled in)/Rect[20 20 200 40]>>"
    button = b"<</Type/Annot/Subtype/Widget/FT/Btn/T(b)/V/Yes/Rect[20 20 200 40]>>"
    free = (
        b"<</Type/Annot/Subtype/FreeText/Contents(Written on it)/Rect[20 60 200 80]/DA(/F 9 Tf)>>"
    )
    note = b"<</Type/Annot/Subtype/Text/Contents(A sticky note)/Rect[20 60 40 80]>>"
    data = pdf(
        [b"Name:"],
        more=[field, button, free, note],
        page=b"/Annots[4 0 R 5 0 R 6 0 R 7 0 R]",
        root=b"/AcroForm<</Fields[4 0 R 5 0 R]>>",
    )
    assert one(data).text == "Name:\nFilled in\nWritten on it\n\n"


def test_pages_without_text_are_counted():
    document = one(pdf([b"Text"], [], []))
    assert document.text == "Text\n\n\n\n\n\n"
    assert document.metadata == {"pages": [0, 6, 8], "pages_without_text": 2}
