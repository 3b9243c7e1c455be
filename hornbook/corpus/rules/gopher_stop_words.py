"""Sentences of English, which do not go without its small words (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.texts import Texts

_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_SPELLINGS = Texts([*_WORDS, *map(str.title, _WORDS), *map(str.upper, _WORDS)])
_HASHES = _SPELLINGS.word_hashes


@register("gopher_stop_words")
class GopherStopWords(Rule):
    """least: how many different ones of the stop words occur."""

    reason: ClassVar[str] = "hardly any of the small words of English"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, appendix A.1.1, quality filtering"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    hits: ClassVar[tuple[str, ...]] = (
        "Shoes Bags Coats Hats Sale",
        "the the the the best shoes",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "That is all I know of it.",
    )

    least: int = 2

    def measure(self, texts: Texts) -> np.ndarray:
        words = texts.words
        size = words.stops - words.starts
        short = np.flatnonzero((size >= 2) & (size <= 4))
        hashes, owners = texts.word_hashes[short], words.owners[short]
        ranks = np.argsort(_HASHES)
        nearest = ranks[np.searchsorted(_HASHES, hashes, sorter=ranks) % len(ranks)]
        hit = _HASHES[nearest] == hashes
        kind = nearest[hit] % len(_WORDS)
        found = np.bincount(owners[hit] * len(_WORDS) + kind, minlength=texts.count * len(_WORDS))
        return (found > 0).reshape(texts.count, len(_WORDS)).sum(1).astype(np.float64)

    def keeps(self, values: np.ndarray) -> np.ndarray:
        kept: np.ndarray = values >= self.least
        return kept
