"""Pages that are pictures: read by the program that is there, in their places."""

import re
import sys

import pytest

import hornbook.read.ocr as ocr
from hornbook.read.documents import PAGES_WITHOUT_TEXT, Rejection
from hornbook.read.sources import read_here
from tests.read.test_pdf import pdf

PROGRAM = """#!{python}
import sys
if "--list-langs" in sys.argv:
    print("List of available languages (2):\\ndeu\\nosd")
else:
    assert sys.argv[2:] == ["stdout", "-l", "deu"], sys.argv
    with open(sys.argv[1], "rb") as picture:
        assert picture.read(3) == b"P5 "
    print("A scanned page about otters.")
"""


@pytest.fixture
def tesseract(tmp_path, monkeypatch):
    """A program of that name, and the guarded work done here."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "tesseract").write_text(PROGRAM.format(python=sys.executable))
    (folder / "tesseract").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(ocr, "read_guarded", lambda work, path, *rest: work(str(path), *rest))
    for cached in (ocr._tesseract, ocr._languages):
        cached.cache_clear()
    yield
    for cached in (ocr._tesseract, ocr._languages):
        cached.cache_clear()


def drawn(data):
    """The last page with a drawing in place of its text."""
    text = re.findall(rb"BT .*? ET", data)[-1]
    before, _, after = data.rpartition(text)
    return before + b"9 9 90 90 re f".ljust(len(text)) + after


def read(path):
    return list(ocr.with_pictures_read(read_here(path), path))


def test_a_picture_among_pages_is_read_in_its_place(tmp_path, tesseract):
    path = tmp_path / "some.pdf"
    path.write_bytes(drawn(pdf([b"The first page."], [b"A picture will be here instead."])))
    (document,) = read(path)
    start = document.metadata["pages"][1]
    assert document.text[:start] == "The first page.\n\n"
    assert document.text[start:] == "A scanned page about otters.\n\n"
    assert document.metadata[ocr.READ_BY_OCR] == 1
    assert document.metadata[PAGES_WITHOUT_TEXT] == 0


def test_a_file_of_pictures_alone_is_a_document(tmp_path, tesseract):
    path = tmp_path / "scan.pdf"
    path.write_bytes(drawn(pdf([b"A picture will be here instead."])))
    (document,) = read(path)
    assert document.text == "A scanned page about otters.\n\n"


def test_an_empty_page_stays_empty(tmp_path, tesseract):
    path = tmp_path / "empty.pdf"
    path.write_bytes(re.sub(rb"BT .*? ET", lambda found: b" " * len(found[0]), pdf([b"text"])))
    (item,) = read(path)
    assert isinstance(item, Rejection) and item.reason == "PDF without text"


def test_without_the_program_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "scan.pdf"
    path.write_bytes(drawn(pdf([b"A picture will be here instead."])))
    assert read(path) == list(read_here(path))
