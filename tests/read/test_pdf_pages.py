"""Pages of a PDF as they are read: columns one after the other, headers once, sentences whole."""

import io

import pypdfium2
import pytest

from hornbook.read.formats.pdf import read_pdf
from hornbook.read.formats.pdf_pages import joined, without_repeats
from hornbook.retrieve.page_pictures import rectangles
from tests.read.test_pdf import FONT

LEFT = (
    "The tenant must pay the rent in advance",
    "on the first Monday of each month, and",
    "the landlord must give a receipt, as an inter-",
    "national court has found. Either side may",
    "end the lease with three months of notice",
    "in writing. The deposit is returned after",
)
RIGHT = (
    "the keys were given back. Repairs are paid",
    "by the landlord unless the tenant has caused",
    "the damage. Pets are allowed only where the",
    "landlord agrees in writing, and this agree-",
    "ment may be withdrawn for cause at any time.",
    "The court of Bath decides what is in dispute.",
)
READ = (
    "The tenant must pay the rent in advance\non the first Monday of each month, and\n"
    "the landlord must give a receipt, as an international court has found. Either side may\n"
    "end the lease with three months of notice\nin writing. The deposit is returned after\n"
    "the keys were given back. Repairs are paid\nby the landlord unless the tenant has caused\n"
    "the damage. Pets are allowed only where the\n"
    "landlord agrees in writing, and this agreement may be withdrawn for cause at any time.\n"
    "The court of Bath decides what is in dispute."
)
CHINESE = (
    "甲方应当在三个月内支付租金乙方",
    "可以解除合同但应当提前十天通知",
    "甲方双方应当遵守本办法的规定任",
    "何一方违反约定的应当承担责任。",
)
OTHER = (
    "承租人不得擅自改变房屋用途未经",
    "出租人书面同意不得转租出租人应",
    "当保证房屋的安全因不可抗力不能",
    "履行的部分或者全部免除责任。",
)
SONG = (
    b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-%s/DescendantFonts[<<"
    b"/Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/DW 1000/CIDSystemInfo<</Registry(Adobe)"
    b"/Ordering(GB1)/Supplement 2>>/FontDescriptor<</Type/FontDescriptor/FontName/STSong-Light"
    b"/Flags 6/FontBBox[-25 -254 1000 880]/ItalicAngle 0/Ascent 880/Descent -120/CapHeight 880"
    b"/StemV 93>>>>]>>"
)


def drawn(lines, font=FONT, page=b""):
    """A PDF of one page of texts, each with the place that it is drawn at, or a matrix."""
    parts = []
    for place, text in lines:
        matrix = place if len(place) == 6 else (1, 0, 0, 1, *place)
        code = f"<{text.encode('utf-16-be').hex()}>" if font is not FONT else f"({text})"
        parts.append(f"BT /F 10 Tf {' '.join(map(str, matrix))} Tm {code} Tj ET")
    content = "\n".join(parts).encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[4 0 R]>>",
        font,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 5 0 R/Resources<</Font<</F 3 0 R"
        b">>>>" + page + b">>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
    ]
    out = b"%PDF-1.4\n"
    for number, body in enumerate(objects, 1):
        out += b"%d 0 obj%s endobj\n" % (number, body)
    return out + b"trailer<</Size 6/Root 1 0 R>>\n%%EOF"


def text_of(data):
    (document,) = read_pdf(io.BytesIO(data), "a.pdf")
    return document.text.rstrip("\n")


def row_by_row(left, right, at=(50, 320), lower=0, step=14):
    """Two columns as they are drawn line by line, the right one lower by some points."""
    for i, (one, other) in enumerate(zip(left, right, strict=True)):
        yield (at[0], 700 - step * i), one
        yield (at[1], 700 - lower - step * i), other


@pytest.mark.parametrize("lower", [0, 3, 7])
def test_columns_that_are_drawn_row_by_row_are_read_one_after_the_other(lower):
    assert text_of(drawn(row_by_row(LEFT, RIGHT, lower=lower))) == READ


def test_whichever_column_is_drawn_first():
    pairs = list(row_by_row(LEFT, RIGHT))
    turned = [one for i in range(0, len(pairs), 2) for one in (pairs[i + 1], pairs[i])]
    assert text_of(drawn(turned)) == READ


def test_what_goes_over_both_columns_stays_between():
    wide = "A title that is as wide as both of the columns, and goes over what parts them."
    lines = [((50, 730), wide), *row_by_row(LEFT, RIGHT), ((50, 600), wide)]
    assert text_of(drawn(lines)) == f"{wide}\n{READ}\n{wide}"


def test_a_page_that_is_turned():
    lines = [((0, 1, -1, 0, 800 - y, x), text) for (x, y), text in row_by_row(LEFT, RIGHT)]
    data = drawn(lines, page=b"/Rotate 90")
    assert text_of(data) == READ
    with pypdfium2.PdfDocument(data) as opened:
        boxes = rectangles(opened[0], "\n".join(RIGHT[1:3]))
    assert len(boxes) == 2 and all(
        box.right - box.left > 5 * (box.bottom - box.top) for box in boxes
    )


def test_three_columns():
    thin = [[line[:24] for line in column] for column in (LEFT, RIGHT, LEFT)]
    lines = [
        ((30 + 190 * i, 700 - 14 * row), column[row]) for row in range(6) for i, column in
        enumerate(thin)
    ]  # fmt: skip
    found = text_of(drawn(lines)).replace("\n", " ")
    places = [found.index(one) for one in (LEFT[1][:24], RIGHT[1][:24], RIGHT[5][:24])]
    assert places == sorted(places) and found.rindex(LEFT[0][:24]) > places[-1]


def test_tables_are_read_by_their_rows():
    rows = [("Name of the tenant", "John Smith"), ("Rent", "300 euros"), ("Deposit", "900 euros")]
    rows += [("Begin", "1 May 2024"), ("End", "1 May 2026"), ("House", "12 Mill Lane, Bath")]
    found = text_of(drawn(row_by_row(*zip(*rows, strict=True), at=(50, 250))))
    assert found.split("\n") == [f"{name} {value}" for name, value in rows]


def test_chinese_columns_and_lines_from_top_to_bottom():
    font = SONG % b"H"
    found = text_of(drawn(row_by_row(CHINESE, OTHER), font))
    assert found == "\n".join([*CHINESE, *OTHER])
    lines = [((500 - 20 * i, 700), text) for i, text in enumerate(CHINESE)]
    assert text_of(drawn(lines, SONG % b"V")) == "\n".join(CHINESE)


def test_quotes_are_marked_where_their_column_is():
    quote = "Pets are allowed only where the\nlandlord agrees in writing, and this agreement may"
    assert quote in READ
    data = drawn(row_by_row(LEFT, RIGHT))
    with pypdfium2.PdfDocument(data) as opened:
        boxes = rectangles(opened[0], quote)
    assert len(boxes) == 3 and all(box.left > 0.5 for box in boxes)
    assert [round(800 - 800 * box.bottom) // 14 for box in boxes] == [47, 46, 45]


def page(number, *lines):
    return "\n".join(["The Lease of Mill House", *lines, f"Page {number} of 4"]) + "\n\n"


def test_headers_and_footers_are_kept_once():
    texts = ["The tenant pays", "each Monday, and", "keeps 300 and 400.", "That is all."]
    pages = [page(i + 1, text) for i, text in enumerate(texts)]
    found, dropped = without_repeats(pages)
    assert found == [pages[0], *(f"{text}\n\n" for text in texts[1:])] and dropped == 6


def test_what_is_no_header_stays():
    numbers = [f"{i} {7 * i} {i * i}\n{3 * i}\n\n" for i in range(1, 9)]  # a table of numbers
    assert without_repeats(numbers) == (numbers, 0)
    same = ["Same text.\n\n"] * 5  # nothing but what is repeated
    assert without_repeats(same) == (same, 0)
    pages = [f"Own text {word}.\nYes.\nMore {word}.\nYes.\nEnd {word}.\n\n" for word in "abcde"]
    assert without_repeats(pages) == (pages, 0)  # it stands further in than what differs
    assert without_repeats([]) == ([], 0)


@pytest.mark.parametrize(
    ("one", "other", "goes_on"),
    [
        ("the tenant pays", "each Monday.", True),
        ("The tenant pays.", "each Monday.", False),
        ("The tenant pays", "Each Monday", False),
        ("甲方应当在三个月内\n支付租金乙方可以解", "除合同。", True),
        ("甲方应当在三个月内\n支付租金", "第二条 租金", False),
        ("甲方应当在三个月内\n支付租金乙方可以解。", "除合同。", False),
        ("", "each", False),
        ("text", "", False),
    ],
)
def test_sentences_go_on_over_pages(one, other, goes_on):
    assert joined(f"{one}\n\n", f"{other}\n\n") == f"{one}\n" + "\n" * (not goes_on)
