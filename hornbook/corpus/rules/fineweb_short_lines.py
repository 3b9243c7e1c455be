"""Lines of some length, unlike those of menus and lists (Penedo et al. 2024)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.rules.writing import ALPHABETIC
from hornbook.corpus.texts import Texts


@register("fineweb_short_lines")
class FinewebShortLines(Rule):
    """below: share of lines shorter than `characters`."""

    reason: ClassVar[str] = "mostly short lines"
    reason_zh: ClassVar[str] = "大多是短行"
    source: ClassVar[str] = "FineWeb, arXiv 2406.17557, section 3.4"
    # Thirty characters of Chinese, Japanese or Korean are a long line.
    languages: ClassVar[frozenset[str] | None] = ALPHABETIC
    hits: ClassVar[tuple[str, ...]] = (
        "Home\nNews\nSport\nWeather\nVideo\nShop\nJobs\nLogin\nRain fell.",
    )
    misses: ClassVar[tuple[str, ...]] = ("The river was calm and the boats lay still at noon.",)

    below: float = 0.67
    characters: int = 30

    def measure(self, texts: Texts) -> np.ndarray:
        lines = texts.lines
        short = texts.lengths(lines) < self.characters
        return share(texts.per_document(lines, short), texts.per_document(lines))

    def keeps(self, values: np.ndarray) -> np.ndarray:
        kept: np.ndarray = values < self.below
        return kept
