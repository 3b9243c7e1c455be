"""Plain text and Markdown, streamed: a long file becomes several documents."""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from hornbook.core.guarded import step
from hornbook.core.yaml_text import NotYaml, parse_yaml
from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.decode import NotText, decode
from hornbook.read.formats.lines import Fault, Line, read_lines
from hornbook.read.formats.register import reads

LONGEST_TEXT = 4 * 2**20
"""Bytes of one document: longer ones are cut at a paragraph, so that memory stays bounded."""

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---(?:\n|\Z)", re.DOTALL)


@reads(".txt", ".text", ".rst", ".py")
def read_text(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document, or several parts of a long one, the later ones with `part` in the metadata."""
    part = 0
    for piece in _pieces(stream):
        if isinstance(piece, Line):
            assert piece.fault, "only lines that cannot be read come alone"
            yield piece.rejection(source, piece.fault)
            continue
        if fault := step(len(piece.data)):
            yield Line(piece.first, b"", len(piece.data)).rejection(source, fault)
            continue
        try:
            text = decode(piece.data)
        except NotText as error:
            yield _rejected(piece, error, source)
            continue
        yield Document("", text, source, metadata={"part": part} if part else {})
        part += 1


@reads(".md", ".markdown")
def read_markdown(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """As text; a YAML block at the start of the file goes to the metadata."""
    for item in read_text(stream, source):
        if isinstance(item, Document) and "part" not in item.metadata:
            text, metadata = split_front_matter(item.text)
            item = Document("", text, source, metadata=metadata)
        yield item


def split_front_matter(text: str) -> tuple[str, dict[str, Any]]:
    """The text without its YAML block and the block's values; unchanged where there is none.

    Of nested values only a list of plain ones is kept.
    """
    block = _FRONT_MATTER.match(text)
    if block is None:
        return text, {}
    try:
        values = parse_yaml(block[1])
    except NotYaml:
        return text, {}
    if not isinstance(values, dict):
        return text, {}
    return text[block.end() :], {str(key): _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    """JSON-ready. Lists are taken flat: aliases let a few lines of YAML nest a million values."""
    if isinstance(value, list):
        return [_plain(part) for part in value if not isinstance(part, list | dict)]
    if value is None or isinstance(value, str | int | float):
        return value
    return None if isinstance(value, dict) else str(value)


class _Chunk(NamedTuple):
    """Lines of a file from the line number `first` on."""

    first: int
    data: bytes


def _pieces(stream: BinaryIO) -> Iterator[_Chunk | Line]:
    """The file in pieces of about LONGEST_TEXT, cut after an empty line if there is one in time.

    A line that cannot be read ends a piece and comes by itself.
    """
    lines: list[bytes] = []
    first, size = 1, 0
    for line in read_lines(stream, step_bytes=2**20):
        if line.fault is None:
            lines.append(line.data)
            size += line.size
        long = size >= LONGEST_TEXT and line.data.isspace()
        if lines and (long or size >= 2 * LONGEST_TEXT or line.fault):
            yield _Chunk(first, b"".join(lines))
            lines, size = [], 0
        if not lines:
            first = line.number + 1
        if line.fault:
            yield line
    if lines:
        yield _Chunk(first, b"".join(lines))


def _rejected(piece: _Chunk, error: NotText, source: str) -> Rejection:
    """The whole piece is left out: half a document would be silently wrong."""
    line = piece.first + piece.data.count(b"\n", 0, error.offset)
    fault = Fault(error.reason, str(error))
    return Line(line, b"", len(piece.data)).rejection(source, fault)
