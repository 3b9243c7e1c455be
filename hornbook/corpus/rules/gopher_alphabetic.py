"""Words with letters in them, not numbers and signs (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.texts import Texts

_LETTER = np.zeros(256, bool)
"""Bytes that begin a letter: ASCII letters, and most that begin a longer character."""
_LETTER[[byte for byte in range(128) if chr(byte).isalpha()]] = True
_LETTER[0xC3:0xF5] = True
_LETTER[0xE2] = False


@register("gopher_alphabetic")
class GopherAlphabetic(Rule):
    """least: share of words that hold a letter of any script.

    Beyond ASCII, everything counts as a letter but Latin-1 signs, the blocks of punctuation and
    symbols (U+2000 to U+2FFF) and emoji (U+1F000 to U+1FFFF).
    """

    reason: ClassVar[str] = "many words without a letter"
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
        letters = _LETTER[data]
        # Emoji are the one part of the characters of four bytes that are no letters.
        long = np.flatnonzero(data == 0xF0)
        letters[long[data[long + 1] == 0x9F]] = False
        before = texts.running(letters)
        lettered = before[words.stops] > before[words.starts]
        return share(texts.per_document(words, lettered), texts.per_document(words))

    def keeps(self, values: np.ndarray) -> np.ndarray:
        kept: np.ndarray = values >= self.least
        return kept
