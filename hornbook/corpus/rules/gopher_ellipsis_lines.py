"""Whole lines instead of teasers that break off (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.rules.writing import ELLIPSES
from hornbook.corpus.texts import Texts


@register("gopher_ellipsis_lines")
class GopherEllipsisLines(Rule):
    """most: share of lines that end with an ellipsis."""

    reason: ClassVar[str] = "many lines break off in an ellipsis"
    reason_zh: ClassVar[str] = "以省略号中断的行过多"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, appendix A.1.1, quality filtering"
    hits: ClassVar[tuple[str, ...]] = (
        "The minister said on...\nStorms are expected to…\nSport",
        "他說……\n然後……\n春眠不覺曉。",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "It was late.\nAnd then...\nNothing came.\nWe went to bed.",
    )

    most: float = 0.3

    def measure(self, texts: Texts) -> np.ndarray:
        lines = texts.lines
        broken = texts.end_with(lines, ELLIPSES)
        return share(texts.per_document(lines, broken), texts.per_document(lines))
