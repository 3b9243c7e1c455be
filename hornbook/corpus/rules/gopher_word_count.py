"""Documents neither too short to say anything nor as long as a dump (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.texts import Texts


@register("gopher_word_count")
class GopherWordCount(Rule):
    """least, most: words."""

    reason: ClassVar[str] = "too few or too many words"
    reason_zh: ClassVar[str] = "词数过少或过多"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, appendix A.1.1, quality filtering"
    # All: a Han or Kana character or a cluster of Thai, Lao, Khmer, Burmese or Tibetan counts as a
    # word, which asks for less text than of English.
    hits: ClassVar[tuple[str, ...]] = (
        "Home About Contact",
        "word " * 100_001,
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon. " * 5,
        "月落烏啼霜滿天，江楓漁火對愁眠。" * 4,
    )

    least: int = 50
    most: int = 100_000

    def measure(self, texts: Texts) -> np.ndarray:
        return texts.word_count.astype(np.float64)
