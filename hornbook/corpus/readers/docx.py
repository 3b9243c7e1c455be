"""Word documents by python-docx: paragraphs and tables in their order."""

import io
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.whole import read_whole

LARGEST_FILE = 512 * 2**20
LARGEST_XML = 64 * 2**20
"""Bytes of the text parts when unpacked: a small archive can hold far more than the memory."""


def read_docx(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; a table's row is a line, its cells apart by tabs."""
    data = read_whole(stream, source, LARGEST_FILE)
    if isinstance(data, Rejection):
        yield data
        return
    try:
        unpacked = _xml_bytes(data)
        if unpacked > LARGEST_XML:
            detail = f"{unpacked:,} bytes of XML; the most is {LARGEST_XML:,}"
            yield Rejection(source, None, "file too large", detail)
            return
        title, text = _parse(data)
    except Exception as error:  # broken archives raise a dozen unrelated types
        yield Rejection(source, None, "broken Word file", f"{type(error).__name__}: {error}")
        return
    yield Document("", text, source, metadata={"title": title} if title else {})


def _xml_bytes(data: bytes) -> int:
    """What the XML parts say they unpack to; unpacking never gives more than they say."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
    return sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))


def _parse(data: bytes) -> tuple[str, str]:
    """Title and text."""
    import docx
    from docx.table import Table

    opened = docx.Document(io.BytesIO(data))
    blocks = [
        _table(block) if isinstance(block, Table) else block.text
        for block in opened.iter_inner_content()
    ]
    text = "\n\n".join(block for block in blocks if block.strip())
    return (opened.core_properties.title or "").strip(), text


def _table(table: Any) -> str:
    return "\n".join("\t".join(cell.text for cell in row.cells) for row in table.rows)
