"""PDF text by page, with pypdfium2; where each page starts is kept for citations."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import newlines
from hornbook.corpus.readers.whole import read_whole

LARGEST_FILE = 512 * 2**20


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
            items = list(_read(pdf, source))
    except pypdfium2.PdfiumError as error:
        reason = "encrypted PDF" if "password" in str(error).lower() else "broken PDF"
        yield Rejection(source, None, reason, str(error))
        return
    yield from items


def _read(pdf: Any, source: str) -> Iterator[Document | Rejection]:
    import pypdfium2

    texts, starts, start, broken = list[str](), list[int](), 0, 0
    for number in range(len(pdf)):
        starts.append(start)
        try:
            texts.append(_page_text(pdf, number))
            start += len(texts[-1])
        except (pypdfium2.PdfiumError, UnicodeError) as error:
            broken += 1
            yield Rejection(source, number + 1, "broken page", str(error))
    if any(text.strip() for text in texts):
        metadata: dict[str, Any] = {"pages": starts}
        if title := (pdf.get_metadata_dict().get("Title") or "").strip():
            metadata["title"] = title
        yield Document("", "".join(texts), source, metadata=metadata)
    elif texts or not broken:
        detail = f"{len(texts)} pages without text; scanned pages need OCR first"
        yield Rejection(source, None, "PDF without text", detail)


def _page_text(pdf: Any, number: int) -> str:
    """A page's text, ending with an empty line; closed at once, since a book has many pages."""
    page = pdf[number]
    try:
        textpage = page.get_textpage()
        text = newlines(textpage.get_text_range()).rstrip() + "\n\n"
        textpage.close()
    finally:
        page.close()
    return text
