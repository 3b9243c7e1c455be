"""Lines that end as sentences do (Raffel et al. 2020)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.rules.writing import QUOTE_ENDS, SENTENCE_ENDS, TERMINATED
from hornbook.corpus.texts import Texts

_AFTER = np.zeros(256, bool)
"""What follows the end of a sentence: white space, closing signs, the first byte of others."""
_AFTER[[*b" \t\n\r\v\f\"')]", 0xE2, 0xC2]] = True


@register("c4_terminal_lines")
class C4TerminalLines(Rule):
    """least: share of lines that end with . ! ? or an end quote. sentences: least in such lines.

    C4 removes the other lines, and a page that is left with fewer than three sentences. Documents
    are kept or dropped as a whole here, so `least` is our own choice, while a document with too few
    `sentences` measures 0. A sentence is a mark before white space or a closing sign.
    """

    reason: ClassVar[str] = "few lines end like sentences"
    reason_zh: ClassVar[str] = "像句子那样结尾的行过少"
    source: ClassVar[str] = "C4, arXiv 1910.10683, section 2.2"
    # Made for English; the others end their sentences as visibly.
    languages: ClassVar[frozenset[str] | None] = TERMINATED
    hits: ClassVar[tuple[str, ...]] = (
        "Home\nAbout us\nProducts\nContact\nPrices\nWelcome. Look around. Have fun.",
        "Only this. And that.",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm. The boats lay still. It was noon.",
        'News\nRain fell.\nWind rose!\n"Is it over?"',
    )

    least: float = 0.2
    sentences: int = 3

    def measure(self, texts: Texts) -> np.ndarray:
        lines = texts.lines
        ended = texts.end_with(lines, (*SENTENCE_ENDS, *QUOTE_ENDS))
        sentences = texts.per_document(lines, texts.held(lines, _ends(texts)) * ended)
        values = share(texts.per_document(lines, ended), texts.per_document(lines))
        return np.where(sentences >= self.sentences, values, 0.0)


def _ends(texts: Texts) -> np.ndarray:
    """Places of the marks that end sentences."""
    data = texts.data
    marks = np.flatnonzero((data == ord(".")) | (data == ord("!")) | (data == ord("?")))
    following = data[np.minimum(marks + 1, len(data) - 1)]
    ends = np.zeros(len(data) + 1, bool)
    ends[texts.edges] = True
    last = ends[marks + 1]
    wide = [texts.find(mark) for mark in SENTENCE_ENDS if not mark.isascii()]
    return np.sort(np.concatenate([marks[_AFTER[following] | last], *wide]))
