"""Sentences of English, which do not go without its small words (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.texts import Texts

_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
_SPELLINGS = Texts([*_WORDS, *map(str.title, _WORDS), *map(str.upper, _WORDS)])
_HASHES = _SPELLINGS.word_hashes
_BITS = np.uint64(2**12 - 1)
assert len(np.unique(_HASHES & _BITS)) == len(_HASHES), "these bits tell all spellings apart"
_CANDIDATES = np.zeros(int(_BITS) + 1, np.int64)
_CANDIDATES[_HASHES & _BITS] = np.arange(len(_HASHES))
"""The one spelling that a word may be, by the last bits of its hash."""


@register("gopher_stop_words")
class GopherStopWords(Rule):
    """least: how many different ones of the stop words occur."""

    reason: ClassVar[str] = "hardly any of the small words of English"
    reason_zh: ClassVar[str] = "几乎没有英语虚词"
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
        spelling = _CANDIDATES[texts.word_hashes & _BITS]
        hit = np.flatnonzero(_HASHES[spelling] == texts.word_hashes)
        kind, owners = spelling[hit] % len(_WORDS), words.owners[hit]
        found = np.bincount(owners * len(_WORDS) + kind, minlength=texts.count * len(_WORDS))
        seen: np.ndarray = found > 0
        counts: np.ndarray = seen.reshape(texts.count, len(_WORDS)).sum(1)
        return counts.astype(np.float64)
