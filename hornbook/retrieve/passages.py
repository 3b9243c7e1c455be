"""Cuts a document into passages: what is found and shown, of one place and about one thing.

A passage holds whole sentences where they are not endless, begins with a heading where there is
one, and ends with a paragraph where that is near. Passages follow one another and hold all text.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hornbook.retrieve.sentences import Span, sentences

_SIZE = 1200
"""Characters of a passage, at most: what a sentence encoder of 256 tokens reads."""
_DENSE_SIZE = 500
_DENSE = frozenset(["zh", "ja", "ko", "th", "lo", "km", "my", "bo"])
"""Languages that say in one character what others say in two or three."""
_FEWEST = 5
"""A passage that is smaller than one part in so many goes on beyond a heading."""
_HEADING_LENGTH = 120
_BETWEEN = re.compile(r"\n[ \t\r]*\n\s*|\f\s*")
_MARKED_HEADING = re.compile(r"#{1,6}\s")
_SECTION = re.compile(
    r"§+\s*\d|(?:article|artikel|art\.|section|chapter|kapitel|abschnitt|part|annex|clause)\s+"
    r"[\dIVXLC]+\b|第[\d一二三四五六七八九十百千零〇]+[编章节條条款]|\d+(?:\.\d+)+\.?\s+[^\W\d_]",
    re.IGNORECASE,
)
"""How parts of statutes, contracts and manuals begin."""
_ENDS_LIKE_TEXT = tuple(".!?;:,。！？；：，…")
_SPACE = re.compile(r"\s+")


class Block(NamedTuple):
    """A paragraph. opens: whether a part begins with it."""

    start: int
    end: int
    opens: bool


def passages(text: str, language: str = "en") -> list[Span]:
    """The passages of a text, in order, without the white space around them; one if it fits."""
    size = _DENSE_SIZE if language in _DENSE else _SIZE
    if len(bare := text.strip()) <= size:
        start = len(text) - len(text.lstrip())
        return [Span(start, start + len(bare))] if bare else []
    found: list[Span] = []
    part: list[Block] = []
    for piece in _pieces(text, language, size):
        if piece.opens and part and part[-1].end - part[0].start >= size // _FEWEST:
            found += _even(part, size)
            part = []
        part.append(piece)
    return found + _even(part, size)


def _even(part: list[Block], size: int) -> list[Span]:
    """The pieces of a part of the document together, in passages of about one length."""
    if not part:
        return []
    whole = part[-1].end - part[0].start
    enough = whole / -(-whole // size)
    found, start, end = list[Span](), part[0].start, part[0].end
    for piece in part[1:]:
        if piece.end - start > size or end - start >= enough:
            found.append(Span(start, end))
            start = piece.start
        end = piece.end
    return [*found, Span(start, end)]


def _pieces(text: str, language: str, size: int) -> Iterator[Block]:
    """Paragraphs that fit, and sentences of those that do not; a heading stays with its text."""
    heading: Block | None = None
    for block in blocks(text):
        opens = block.opens and heading is None
        if is_heading(text, block) and block.end - block.start <= size // 2:
            heading = heading or block
            yield Block(block.start, block.end, opens)
            continue
        heading = None
        if block.end - block.start <= size // 2:
            yield Block(block.start, block.end, opens)
            continue
        for number, span in enumerate(sentences(text[block.start : block.end], language)):
            for part in _cut(text, span.start + block.start, span.end + block.start, size):
                yield Block(*part, opens and not number and part.start == block.start)


def blocks(text: str) -> Iterator[Block]:
    """The paragraphs of a text, parted by empty lines, and by lines that open a part."""
    for start, end in _paragraphs(text):
        for line in _openings(text, start, end):
            yield from _block(text, start, line)
            start = line
        yield from _block(text, start, end)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _BETWEEN.finditer(text):
        yield start, found.start()
        start = found.end()
    yield start, len(text)


def _openings(text: str, start: int, end: int) -> Iterator[int]:
    """Where lines inside a paragraph begin that open a part."""
    at = text.find("\n", start, end)
    while at >= 0:
        line = at + 1
        if _MARKED_HEADING.match(text, line) or _SECTION.match(text, line):
            yield line
        at = text.find("\n", line, end)


def _block(text: str, start: int, end: int) -> Iterator[Block]:
    """What is there without the white space around it, if anything is."""
    piece = text[start:end]
    if bare := piece.strip():
        start += len(piece) - len(piece.lstrip())
        block = Block(start, start + len(bare), True)
        opens = _SECTION.match(text, start) is not None or is_heading(text, block)
        yield block._replace(opens=opens)


def is_heading(text: str, block: Block) -> bool:
    """Whether a paragraph is a line of few words that is no sentence."""
    if _MARKED_HEADING.match(text, block.start):
        return True
    if block.end - block.start > _HEADING_LENGTH:
        return False
    line = text[block.start : block.end]
    return "\n" not in line and not line.endswith(_ENDS_LIKE_TEXT) and line[:1] not in "-*•|"


def _cut(text: str, start: int, end: int, size: int) -> Iterator[Span]:
    """A sentence, or the pieces of one that is longer than a passage, between words if possible."""
    while end - start > size:
        space = max(text.rfind(mark, start + size // 2, start + size) for mark in " \n\t，、；,")
        stop = start + size if space < 0 else space + 1
        yield Span(start, stop)
        start = stop
    if text[start:end].strip():
        yield Span(start, end)
