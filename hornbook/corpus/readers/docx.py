"""Word documents by python-docx: paragraphs and tables in their order."""

import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.whole import read_whole


def read_docx(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; a table's row is a line, its cells apart by tabs."""
    import docx

    data = read_whole(stream, source)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        opened = docx.Document(io.BytesIO(data))
        blocks = [_block(block) for block in opened.iter_inner_content()]
    except Exception as error:  # broken archives raise a dozen unrelated types
        yield Rejection(source, None, "broken Word file", str(error), len(data))
        return
    title = (opened.core_properties.title or "").strip()
    text = "\n\n".join(block for block in blocks if block.strip())
    yield Document("", text, source, metadata={"title": title} if title else {})


def _block(block: Any) -> str:
    if hasattr(block, "rows"):
        return "\n".join("\t".join(cell.text for cell in row.cells) for row in block.rows)
    return str(block.text)
