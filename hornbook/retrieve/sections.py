"""The parts of a document: headings, and the sentences below each. A heading is no sentence.

Knows texts; which sentences stand for a part is `extract`'s business.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from hornbook.retrieve.passages import Block, blocks, is_heading
from hornbook.retrieve.sentences import Span, sentences

_PART = 8000
"""Characters of a part where a text has no headings: some pages."""
_ROW = 3
"""So many lines in a row that look like headings are a list or a conversation."""
_HEAD_LINE = 80
"""Characters of a heading on a line of its own, directly above its text."""
_NUMBERED = re.compile(r"(?:\d+(?:\.\d+)*\.?|[IVXLC]+\.|[A-Z]\.)\s+\S")
_LINE_ENDS = tuple(".!?;:,。！？；：，…-")
_LITTLE = re.compile(r"[a-zà-öø-ÿ]{4,}")


class Section(NamedTuple):
    """A part of a text. heading: "" where it has none. sentences: in the text's characters."""

    heading: str
    start: int
    end: int
    sentences: list[Span]


def sections(text: str, language: str = "en") -> list[Section]:
    """The parts of a text in order; each has a sentence at least."""
    found: list[Section] = []
    heading: list[str] = []
    begin, held = 0, list[Span]()
    for block, heads in _marked(text):
        title, body = _split(text, block) if not heads else (block, None)
        if title is not None:
            if held:
                found.append(Section(" ".join(heading), begin, held[-1].end, held))
                heading, held = [], []
            begin = title.start if not heading else begin
            heading.append(" ".join(text[title.start : title.end].strip("# \t").split()))
        if body is not None:
            spans = sentences(text[body.start : body.end], language)
            if not held and not heading:
                begin = body.start
            for span in spans:
                if not heading and held and held[-1].end - begin >= _PART:
                    found.append(Section("", begin, held[-1].end, held))
                    begin, held = body.start + span.start, []
                held.append(Span(body.start + span.start, body.start + span.end))
    if held:
        found.append(Section(" ".join(heading), begin, held[-1].end, held))
    return found


def lead_of(text: str, count: int, language: str = "en") -> list[Span]:
    """The first sentences of a text that are no headings (lead-3)."""
    every = [span for section in sections(text, language) for span in section.sentences]
    return every[:count]


def _marked(text: str) -> Iterator[tuple[Block, bool]]:
    """The paragraphs of a text, and whether each is a heading: a line above a text."""
    runs = [
        (like, list(run)) for like, run in groupby(blocks(text), lambda one: is_heading(text, one))
    ]
    for i, (like, run) in enumerate(runs):
        heads = like and len(run) < _ROW and i + 1 < len(runs)
        yield from ((block, heads) for block in run)


def _split(text: str, block: Block) -> tuple[Block | None, Block | None]:
    """A paragraph whose first line is a heading, as heading and text; else the text alone."""
    stop = text.find("\n", block.start, block.end)
    if stop < 0:
        return None, block
    line = text[block.start : stop].strip()
    if not line or len(line) > _HEAD_LINE or line.endswith(_LINE_ENDS) or not _heads(line):
        return None, block
    start = stop + len(text[stop : block.end]) - len(text[stop : block.end].lstrip())
    return block._replace(end=stop), Block(start, block.end, False)


def _heads(line: str) -> bool:
    """Whether a line looks like a heading and not like the beginning of a sentence: it is marked,
    numbered, or has no long word in small letters (but for those of its first word)."""
    if line.startswith("#") or _NUMBERED.match(line):
        return True
    words = line.split()
    return line[:1].isupper() and not any(_LITTLE.match(word) for word in words)
