"""PDF text by page, with pypdfium2; where each page starts is kept for citations."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import newlines
from hornbook.corpus.readers.whole import read_whole


def read_pdf(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; metadata has `pages`, the character at which each page starts."""
    import pypdfium2

    data = read_whole(stream, source)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        reason = "encrypted PDF" if "password" in str(error).lower() else "broken PDF"
        yield Rejection(source, None, reason, str(error), len(data))
        return
    try:
        yield _document(pdf, source, len(data))
    except pypdfium2.PdfiumError as error:
        yield Rejection(source, None, "broken PDF", str(error), len(data))
    finally:
        pdf.close()


def _document(pdf: Any, source: str, size: int) -> Document | Rejection:
    text, starts = "", []
    for page in pdf:
        starts.append(len(text))
        text += newlines(page.get_textpage().get_text_range()).rstrip() + "\n\n"
    if not text.strip():
        detail = f"{len(starts)} pages without text; scanned pages need OCR first"
        return Rejection(source, None, "PDF without text", detail, size)
    metadata: dict[str, Any] = {"pages": starts}
    if title := (pdf.get_metadata_dict().get("Title") or "").strip():
        metadata["title"] = title
    return Document("", text, source, metadata=metadata)
