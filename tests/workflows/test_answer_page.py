"""The page of an answer: rectangles where the words stand, and nothing asked of anybody."""

import base64
import io
import re

import numpy as np
import pypdfium2
import pytest

from hornbook.core.errors import UsageError
from hornbook.core.language import speak
from hornbook.retrieve.index import DocumentIndex
from hornbook.retrieve.page_pictures import pictures, png, rectangles
from hornbook.workflows.documents.answer_page import check_page, views_of, write_page
from hornbook.workflows.documents.ask import ask
from hornbook.workflows.documents.asking import OpenIndex
from hornbook.workflows.documents.indexing import IndexRequest, make_index
from tests.read.test_pdf import pdf
from tests.tiny import QUIET

LINES = [
    b"The rent is due. The notice peri-", b"od is three months, in writing.", b"The rent is due."
]  # fmt: skip
QUOTE = "The notice period is three months, in writing."


def shown(page=b"", quote=QUOTE, near=0.0):
    with pypdfium2.PdfDocument(pdf(LINES, page=page)) as opened:
        return rectangles(opened[0], quote, near)


def test_a_quote_is_a_rectangle_a_line():
    first, second = shown()
    # Lines begin 20 points from the left, at 400 and 386 of 500 points from below.
    assert 0.15 < first.left < 0.3 and second.left == pytest.approx(0.04, abs=0.01)
    for box, base in ((first, 400), (second, 386)):
        assert box.top < 1 - (base + 4) / 500 < box.bottom
        assert box.bottom - box.top < 0.04 and box.right < 0.6
    assert first.bottom <= second.top + 0.01


def test_the_nearest_of_two_places():
    (upper,) = shown(quote="The rent is due.", near=0.0)
    (lower,) = shown(quote="The rent is due.", near=0.9)
    assert lower.top - upper.top == pytest.approx(28 / 500, abs=0.005)
    assert shown(quote="Nobody wrote this.") == []


def test_a_page_that_is_turned_or_cut():
    line = "od is three months, in writing."
    ((straight,), (turned,)) = shown(quote=line), shown(page=b"/Rotate 90", quote=line)
    # A quarter turn to the right: what was on the left is at the top.
    assert turned.top == pytest.approx(straight.left, abs=0.01)
    assert turned.right == pytest.approx(1 - straight.top, abs=0.01)
    (cut,) = shown(page=b"/CropBox[0 250 250 500]", quote=line)
    assert cut.left == pytest.approx(2 * straight.left, abs=0.01)
    assert cut.top == pytest.approx(2 * straight.top, abs=0.02)
    assert len(shown(quote=f"{line}\nThe notice peri")) == 2  # lines in another order


def test_png_is_read_by_others():
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    found = image.open(io.BytesIO(png(pixels.tobytes(), 7, 5)))
    assert found.size == (7, 5) and (np.asarray(found) == pixels).all()


def test_pictures_of_pages(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf(LINES, [b"Second page."]))
    asked = [[["Second page.", 0.0]], [["x", 0.0]]]
    found = list(pictures(str(tmp_path / "a.pdf"), [2, 9], asked))
    ((facts, picture),) = found
    assert (facts["page"], facts["width"], len(facts["rectangles"][0])) == (2, 500, 1)
    assert base64.b64decode(picture).startswith(b"\x89PNG")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_of_an_answer(tmp_path, language):
    docs, out, page = tmp_path / "docs", tmp_path / "out", tmp_path / "a.html"
    docs.mkdir()
    (docs / "lease.pdf").write_bytes(pdf([b"First page."], LINES))
    (docs / "b.txt").write_text("The <b>garden</b> of the house & the gate are closed in winter.")
    make_index(IndexRequest((str(docs),), encoder="none"), out, QUIET)
    opened = OpenIndex(out, QUIET)
    speak(language)
    try:
        with opened.index:
            for question, marks in (("What is the notice period?", 2), ("Is the gate closed?", 0)):
                found = ask(opened, question).plain()
                write_page(page, out, found)
                text = page.read_text(encoding="utf-8")
                assert found["quotes"][0]["page"] == (2 if marks else None)
                assert len(re.findall(r'<i title="\[1\]" style="left:', text)) == marks
                assert text.count("data:image/png;base64,") == bool(marks)
                assert not re.search(r"https?:|<script|(?:src|href)=\"(?!#|data:)", text)
    finally:
        speak("en")
    assert "<mark>" in text and "&lt;b&gt;garden" in text and "<b>garden" not in text
    assert ("第 2 页" in text or "查看了" in text) == (language == "zh")


def test_a_quote_without_a_place_on_its_page_is_shown_as_text(tmp_path):
    """As one that was read from a scan."""
    docs, out = tmp_path / "docs", tmp_path / "out"
    docs.mkdir()
    (docs / "lease.pdf").write_bytes(pdf(LINES))
    make_index(IndexRequest((str(docs),), encoder="none"), out, QUIET)
    (docs / "lease.pdf").write_bytes(pdf([b"A picture of the same page."]))
    quote = {"source": str(docs / "lease.pdf"), "document": 1, "page": 1, "start": 17, "end": 40}
    with DocumentIndex.open(out) as index:
        (view,) = views_of(index, [{**quote, "text": index.text(1, 17, 40)}])
        assert view["picture"] and view["rectangles"] == [[]]
        assert view["unplaced"][0]["quote"] == index.text(1, 17, 40)


def test_a_file_of_others_is_not_replaced(tmp_path):
    (tmp_path / "a.html").write_text("mine")
    with pytest.raises(UsageError):
        check_page(tmp_path / "a.html")
