"""Readers, one file a format: a stream of bytes in, documents and rejections out.

A reader is `read(stream, source) -> Iterator[Document | Rejection]`; ids are given later. Formats
whose records have named fields take the name of the text field as well; archives are given the file
packed as it is, since one broken member of many must cost only itself. A new format is one file and
one line here. Knows formats; knows nothing of folders.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats import docx, epub, html, mail, parquet, pdf, records, table, text, warc

Reader = Callable[[BinaryIO, str], Iterator[Document | Rejection]]
RecordReader = Callable[[BinaryIO, str, str | None], Iterator[Document | Rejection]]

READERS: dict[str, Reader] = {
    ".txt": text.read_text,
    ".text": text.read_text,
    ".md": text.read_markdown,
    ".markdown": text.read_markdown,
    ".rst": text.read_text,
    ".py": text.read_text,
    ".html": html.read_html,
    ".htm": html.read_html,
    ".xhtml": html.read_xhtml,
    ".xht": html.read_xhtml,
    ".pdf": pdf.read_pdf,
    ".docx": docx.read_docx,
    ".docm": docx.read_docx,
    ".dotx": docx.read_docx,
    ".dotm": docx.read_docx,
    ".epub": epub.read_epub,
    ".eml": mail.read_eml,
    ".emlx": mail.read_emlx,
    ".mbox": mail.read_mbox,
}

RECORD_READERS: dict[str, RecordReader] = {
    ".jsonl": records.read_jsonl,
    ".ndjson": records.read_jsonl,
    ".json": records.read_json,
    ".csv": table.read_csv,
    ".tsv": table.read_tsv,
    ".parquet": parquet.read_parquet,
}

ARCHIVE_READERS: dict[str, Reader] = {
    ".warc": warc.read_warc,
    ".wet": warc.read_warc,
}

MAILDIR = re.compile(r"(?:.*[/\\])?(?:cur|new)[/\\][0-9]{9,}\.[^/\\]+")
"""Paths of messages in a Maildir, which have no suffix: when they came is their name."""

CHECKED = frozenset({".jsonl", ".ndjson", ".json"})
"""Formats whose readers refuse themselves, with its line, what cannot be stored."""
