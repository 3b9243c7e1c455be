"""Words with letters in them, not numbers and signs (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.texts import Texts


@register("gopher_alphabetic")
class GopherAlphabetic(Rule):
    """least: share of words that hold a letter of any script.

    Beyond ASCII, everything counts as a letter but Latin-1 signs, the blocks of punctuation and
    symbols (U+2000 to U+2FFF) and emoji (U+1F000 to U+1FFFF).
    """

    reason: ClassVar[str] = "many words without a letter"
    reason_zh: ClassVar[str] = "不含字母的词过多"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, appendix A.1.1, quality filtering"
    hits: ClassVar[tuple[str, ...]] = (
        "12 15 18 21 24 oil",
        "— — … 10% £5 © 2020 home",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The 3 boats lay still at noon.",
        "春眠不覺曉，處處聞啼鳥。",
        "Река была 5 спокойна и тиха",
    )

    least: float = 0.8

    def measure(self, texts: Texts) -> np.ndarray:
        words, data = texts.words, texts.data
        # ASCII letters, and most bytes that begin a longer character.
        letters = ((data | 32) - np.uint8(ord("a")) < 26) | ((data >= 0xC3) & (data != 0xE2))
        # Emoji are the one part of the characters of four bytes that are no letters.
        long = np.flatnonzero(data == 0xF0)
        letters[long[data[long + 1] == 0x9F]] = False
        before = texts.running(letters)
        lettered = before[words.stops] > before[words.starts]
        return share(texts.counted(words.starts[lettered]), texts.word_count)
