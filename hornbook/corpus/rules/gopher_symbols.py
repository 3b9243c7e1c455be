"""Few hash signs and ellipses, which abound in tags and cut-off teasers (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.texts import Texts


@register("gopher_symbols")
class GopherSymbols(Rule):
    """most: hash signs to words, or ellipses to words, whichever are more.

    Of dots in a row, three are an ellipsis.
    """

    reason: ClassVar[str] = "many hash signs or ellipses"
    reason_zh: ClassVar[str] = "井号或省略号过多"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, appendix A.1.1, quality filtering"
    hits: ClassVar[tuple[str, ...]] = (
        "#sun #sea #sand and nothing else",
        "Read more... Read on... See all...",
        "他說……然後……",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "Issue #12 was closed when the last of the ten open questions had been answered...",
    )

    most: float = 0.1

    def measure(self, texts: Texts) -> np.ndarray:
        dots = texts.find("...")
        # Within a row of dots, each place but every third belongs to an ellipsis already found.
        head = np.ones(len(dots), bool)
        head[1:] = np.diff(dots) != 1
        row = np.flatnonzero(head)
        within = np.arange(len(dots)) - np.repeat(row, np.diff(np.append(row, len(dots))))
        ellipses = texts.counted(dots[within % 3 == 0]) + texts.counted(texts.find("…"))
        symbols = np.maximum(texts.counted(texts.find("#")), ellipses)
        return share(symbols, texts.word_count)
