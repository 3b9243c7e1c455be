"""PDF text by page, with pypdfium2; where each page starts is kept for citations."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import newlines
from hornbook.corpus.readers.whole import read_whole

LARGEST_FILE = 512 * 2**20


def read_pdf(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; metadata has `pages`, the character at which each page starts."""
    import pypdfium2

    data = read_whole(stream, source, LARGEST_FILE)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        with pypdfium2.PdfDocument(data) as pdf:
            yield _document(pdf, source)
    except pypdfium2.PdfiumError as error:
        reason = "encrypted PDF" if "password" in str(error).lower() else "broken PDF"
        yield Rejection(source, None, reason, str(error))


def _document(pdf: Any, source: str) -> Document | Rejection:
    pages = [_page_text(pdf, number) for number in range(len(pdf))]
    if not any(page.strip() for page in pages):
        detail = f"{len(pages)} pages without text; scanned pages need OCR first"
        return Rejection(source, None, "PDF without text", detail)
    starts, start = [], 0
    for page in pages:
        starts.append(start)
        start += len(page)
    metadata: dict[str, Any] = {"pages": starts}
    if title := (pdf.get_metadata_dict().get("Title") or "").strip():
        metadata["title"] = title
    return Document("", "".join(pages), source, metadata=metadata)


def _page_text(pdf: Any, number: int) -> str:
    """A page's text, ending with an empty line; closed at once, since a book has many pages."""
    page = pdf[number]
    textpage = page.get_textpage()
    text = newlines(textpage.get_text_range()).rstrip() + "\n\n"
    textpage.close()
    page.close()
    return text
