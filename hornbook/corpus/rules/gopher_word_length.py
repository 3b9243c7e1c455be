"""Words of a usual length on average: neither fragments nor strings of code (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.texts import Texts


@register("gopher_word_length")
class GopherWordLength(Rule):
    """least, most: characters of a word, on average."""

    reason: ClassVar[str] = "words unusually short or long"
    reason_zh: ClassVar[str] = "词长异常"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, appendix A.1.1, quality filtering"
    # Written with spaces between words, and neither by syllables nor in compounds.
    languages: ClassVar[frozenset[str] | None] = frozenset({"en", "fr", "es", "it", "pt", "nl"})
    hits: ClassVar[tuple[str, ...]] = (
        "a b c d e f g h i j",
        "x = internationalization_of_everything(that_is_configurable_somewhere)",
    )
    misses: ClassVar[tuple[str, ...]] = ("The river was calm and the boats lay still at noon.",)

    least: float = 3.0
    most: float = 10.0

    def measure(self, texts: Texts) -> np.ndarray:
        return share(texts.word_characters, texts.word_count)
