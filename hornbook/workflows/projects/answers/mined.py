"""Questions and answers found in documents: a title or heading, and the paragraph under it.

No text is invented: the answer is the documents' own, and the question names the title in a frame
of the text's language.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hornbook.core.lines import lines_of
from hornbook.read.documents import Document


class MinedPair(NamedTuple):
    """A question, its answer in the document's words, and the document it comes from."""

    question: str
    answer: str
    document: str


_LONGEST_TITLE = 80
_SHORTEST_ANSWER, _LONGEST_ANSWER = 30, 600  # characters; Chinese says as much in a third
_HAN = re.compile(r"[\u3400-\u9fff]")
_ENDS_SENTENCE = re.compile(r"[.!?。！？;；,，:：]$")
_MARKUP = re.compile(r"^(#+\s+|[=\-~^*\"'`]{3,}\s*$)")


def pairs_of(document: Document) -> Iterator[MinedPair]:
    """The title with the first paragraph, then each heading with the paragraph under it."""
    blocks = _blocks(document.text)
    title = str(document.metadata.get("title") or "").strip()
    if title:
        yield from _pair(title, next((b for b in blocks if b != title), ""), document)
    for heading, paragraph in itertools.pairwise(blocks):
        if heading != title and _is_heading(heading) and not _is_heading(paragraph):
            yield from _pair(heading, paragraph, document)


def pairs(documents: Iterable[Document], limit: int) -> list[MinedPair]:
    """Pairs of all documents, each question once, at most `limit`, evenly over the documents."""
    found = {pair.question: pair for document in documents for pair in pairs_of(document)}
    unique = list(found.values())
    step = max(1.0, len(unique) / limit)
    return [unique[int(i * step)] for i in range(min(limit, len(unique)))]


def _pair(title: str, paragraph: str, document: Document) -> Iterator[MinedPair]:
    answer = _shorten(paragraph)
    chinese = bool(_HAN.search(title))
    if len(answer) * (3 if chinese else 1) >= _SHORTEST_ANSWER:
        question = f"请介绍“{title}”。" if chinese else f"What is {title}?"
        yield MinedPair(question, answer, document.id)


def _blocks(text: str) -> list[str]:
    """Paragraphs, with the underlines and marks of headings taken off."""
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        lines = [_MARKUP.sub("", line).strip() for line in lines_of(block)]
        block = "\n".join(line for line in lines if line)
        if block:
            blocks.append(block)
    return blocks


def _is_heading(block: str) -> bool:
    short = "\n" not in block and len(block) <= _LONGEST_TITLE
    return short and not _ENDS_SENTENCE.search(block)


def _shorten(paragraph: str) -> str:
    """The paragraph, or as many whole sentences of it as are not too long."""
    longest = _LONGEST_ANSWER // 3 if _HAN.search(paragraph) else _LONGEST_ANSWER
    if len(paragraph) <= longest:
        return paragraph
    ends = [m.end() for m in re.finditer(r"[.!?](?=\s)|[。！？]", paragraph[:longest])]
    return paragraph[: ends[-1]] if ends else ""
