"""Lines that end with punctuation, as those of prose do (Penedo et al. 2024)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.rules.writing import ELLIPSES, QUOTE_ENDS, SENTENCE_ENDS, TERMINATED
from hornbook.corpus.texts import Texts

_MARKS = (*SENTENCE_ENDS, *QUOTE_ENDS, *ELLIPSES, "'", "’")


@register("fineweb_line_punctuation")
class FinewebLinePunctuation(Rule):
    """most_bare: a share of lines ending with punctuation that is too low."""

    reason: ClassVar[str] = "hardly any line ends with punctuation"
    reason_zh: ClassVar[str] = "以标点结尾的行极少"
    source: ClassVar[str] = "FineWeb, arXiv 2406.17557, section 3.4"
    languages: ClassVar[frozenset[str] | None] = TERMINATED
    hits: ClassVar[tuple[str, ...]] = (
        "Home\nNews\nSport\nWeather\nVideo\nShop\nJobs\nLogin\nRain fell.",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "Poem\nRain fell,\nwind rose.\n‘Come’",
    )

    most_bare: float = 0.12

    def measure(self, texts: Texts) -> np.ndarray:
        lines = texts.lines
        ended = texts.end_with(lines, _MARKS)
        return share(texts.per_document(lines, ended), texts.per_document(lines))

    def keeps(self, values: np.ndarray) -> np.ndarray:
        kept: np.ndarray = values > self.most_bare
        return kept
