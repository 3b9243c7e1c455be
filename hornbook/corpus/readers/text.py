"""Plain text and Markdown, streamed: a long file becomes several documents.

Knows paragraphs and front matter; knows nothing of files.
"""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import yaml

from hornbook.corpus.documents import Document, Rejection
from hornbook.corpus.readers.decode import NotText, decode, encoding_of
from hornbook.corpus.readers.lines import LONGEST_LINE, read_lines

LONGEST_TEXT = 4 * 2**20
"""Bytes of one document: longer ones are cut at a paragraph, so that memory stays bounded."""

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def read_text(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document, or several parts of a long one."""
    part = 0
    for item in _texts(stream, source):
        if isinstance(item, Rejection):
            yield item
        else:
            yield Document("", item, source, metadata={"part": part} if part else {})
            part += 1


def read_markdown(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """As text; a YAML block at the start goes to the metadata."""
    for item in read_text(stream, source):
        if isinstance(item, Document) and (block := _FRONT_MATTER.match(item.text)):
            metadata = {**item.metadata, **_front_matter(block[1])}
            item = Document("", item.text[block.end() :], source, metadata=metadata)
        yield item


def _texts(stream: BinaryIO, source: str) -> Iterator[str | Rejection]:
    """The text in pieces of about LONGEST_TEXT at most, cut after an empty line if there is one."""
    lines: list[bytes] = []
    size, wide = 0, False
    for line in read_lines(stream):
        if line.number == 1:
            wide = encoding_of(line.data) == "utf-16"
        if not line.data:
            yield Rejection(source, line.number, "line too long", _too_long(line.size), line.size)
            continue
        ends = size >= LONGEST_TEXT and not line.data.strip()
        if not wide and (ends or size + len(line.data) > 2 * LONGEST_TEXT) and lines:
            yield _decode(lines, source)
            lines, size = [], 0
        lines.append(line.data)
        size += line.size
    if lines:
        yield _decode(lines, source)


def _decode(lines: list[bytes], source: str) -> str | Rejection:
    data = b"".join(lines)
    try:
        return decode(data)
    except NotText as error:
        return Rejection(source, None, error.reason, str(error), len(data))


def _too_long(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB without a line break; the most is {LONGEST_LINE // 2**20} MiB"


def _front_matter(block: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(block)
    except yaml.YAMLError:
        return {}
    return {str(k): str(v) for k, v in values.items()} if isinstance(values, dict) else {}
