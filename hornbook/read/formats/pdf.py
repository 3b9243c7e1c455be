"""PDF text by page, with pypdfium2; where each page starts is kept for citations."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, BinaryIO

from hornbook.core.guarded import step
from hornbook.read.documents import (
    CONTROLS,
    PAGES_WITHOUT_TEXT,
    REPEATED_LINES,
    REPLACED,
    Document,
    Rejection,
)
from hornbook.read.formats.decode import newlines, without_controls
from hornbook.read.formats.hyphens import MARK, Hyphens
from hornbook.read.formats.pdf_columns import characters, in_columns, read_together
from hornbook.read.formats.pdf_pages import joined, without_repeats
from hornbook.read.formats.register import reads
from hornbook.read.formats.whole import read_whole

LARGEST_FILE = 512 * 2**20

_GLYPHS = {
    **dict(zip("ﬀﬁﬂﬃﬄﬅﬆ", ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True)),
    **dict(zip("\uf0b7\uf0a7\uf0a8\uf0d8\uf0e0\uf0fc", "•▪▫➢→✓", strict=True)),
    "\xad": "",
    "\x02": MARK,
}
"""Ligatures, the bullets of symbol fonts, and hyphens that are seen only at the end of a line."""
_ODD = re.compile(f"[{''.join(_GLYPHS)}\ue000-\uf8ff\0]")


@reads(".pdf")
def read_pdf(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; metadata has `pages`, the character at which each page starts.

    A broken page costs itself: it is empty in `pages`, and its rejection has its number.
    """
    import pypdfium2

    data = read_whole(stream, source, LARGEST_FILE)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        with pypdfium2.PdfDocument(data) as pdf:
            items = list(_read(pdf, len(data), source))
    except pypdfium2.PdfiumError as error:
        reason = "encrypted PDF" if "password" in str(error).lower() else "broken PDF"
        yield Rejection(source, None, reason, str(error))
        return
    yield from items


def _read(pdf: Any, size: int, source: str) -> Iterator[Document | Rejection]:
    import pypdfium2

    texts, broken = list[str](), 0
    if pdf.get_formtype():
        pdf.init_forms()
    for number in range(len(pdf)):
        if fault := step(size // len(pdf)):
            broken += 1
            texts.append("")
            yield Rejection(source, number + 1, *fault)
            continue
        try:
            texts.append(_page_text(pdf, number))
        except (pypdfium2.PdfiumError, UnicodeError) as error:
            broken += 1
            texts.append("")
            yield Rejection(source, number + 1, "broken page", str(error))
    blank = sum(not text.strip() for text in texts) - broken
    if any(text.strip() for text in texts):
        texts, repeated = without_repeats(texts)
        pages, controls = _joined(texts)
        title = (pdf.get_metadata_dict().get("Title") or "").strip()
        lost = sum(page.count("\ufffd") for page in pages)
        noted = {
            "title": title,
            REPLACED: lost,
            CONTROLS: controls,
            PAGES_WITHOUT_TEXT: blank,
            REPEATED_LINES: repeated,
        }
        metadata: dict[str, Any] = {"pages": _starts(pages)}
        metadata |= {name: value for name, value in noted.items() if value}
        yield Document("", "".join(pages), source, metadata=metadata)
    elif blank or not broken:
        detail = f"{blank} pages without text; scanned pages need OCR first"
        yield Rejection(source, None, "PDF without text", detail)


def _joined(texts: list[str]) -> tuple[list[str], int]:
    """Pages with the words whole that were broken at the end of a line, and with the sentences that
    go on over the end of a page; and how many controls they had, taken out before the pages' places
    are counted."""
    if any(MARK in text for text in texts):
        hyphens = Hyphens("\n".join(texts))
        texts = [hyphens.rejoin(text) for text in texts]
    clean = [without_controls(text) for text in texts]
    pages = [text for text, _ in clean]
    pages = [joined(one, other) for one, other in pairwise([*pages, ""])]
    return pages, sum(count for _, count in clean)


def _starts(pages: list[str]) -> list[int]:
    """The character at which each page begins."""
    starts, place = list[int](), 0
    for page in pages:
        starts.append(place)
        place += len(page)
    return starts


def _page_text(pdf: Any, number: int) -> str:
    """A page's text and what is filled in on it, ending with an empty line.

    It is closed at once, since a book has many pages.
    """
    page = pdf[number]
    try:
        textpage = page.get_textpage()
        text = newlines(_said(textpage, page.get_rotation())).rstrip("\0")  # pdfium's, at times
        textpage.close()
        filled = [value for value in _filled(pdf, page) if value.strip()]
    finally:
        page.close()
    return _ODD.sub(_glyph, "\n".join([text.rstrip(), *filled]).rstrip()) + "\n\n"


def _said(textpage: Any, turned: int) -> str:
    """The text of a page in the order in which it is read."""
    given = str(textpage.get_text_range())
    text = characters(textpage, given)
    pieces = in_columns(textpage, text, turned)
    return given if pieces is None else read_together(text, pieces)


def _glyph(found: re.Match[str]) -> str:
    """What a font says in its own way; U+FFFD for glyphs that only it knows."""
    return _GLYPHS.get(found[0], "\ufffd")


def _filled(pdf: Any, page: Any) -> Iterator[str]:
    """What somebody wrote into fields and free text on a page; notes and links are not."""
    import pypdfium2.raw as raw

    for i in range(raw.FPDFPage_GetAnnotCount(page)):
        mark = raw.FPDFPage_GetAnnot(page, i)
        try:
            kind = raw.FPDFAnnot_GetSubtype(mark)
            if kind == raw.FPDF_ANNOT_WIDGET and pdf.formenv:
                field = raw.FPDFAnnot_GetFormFieldType(pdf.formenv, mark)
                if field in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX):
                    yield _string(raw.FPDFAnnot_GetFormFieldValue, pdf.formenv, mark)
            elif kind == raw.FPDF_ANNOT_FREETEXT:
                yield _string(raw.FPDFAnnot_GetStringValue, mark, b"Contents")
        finally:
            raw.FPDFPage_CloseAnnot(mark)


def _string(call: Any, *arguments: Any) -> str:
    """A string of the library's, which says its size in bytes first."""
    import ctypes

    import pypdfium2.raw as raw

    size = call(*arguments, None, 0)
    buffer = (ctypes.c_ubyte * size)()
    call(*arguments, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return newlines(bytes(buffer).decode("utf-16-le", "replace").rstrip("\0"))
