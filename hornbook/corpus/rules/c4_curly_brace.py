"""Text without curly braces, which programs have and prose has not (Raffel et al. 2020)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.texts import Texts


@register("c4_curly_brace")
class C4CurlyBrace(Rule):
    """most: opening curly braces in a document."""

    reason: ClassVar[str] = "holds a curly brace"
    reason_zh: ClassVar[str] = "含有花括号"
    source: ClassVar[str] = "C4, arXiv 1910.10683, section 2.2"
    hits: ClassVar[tuple[str, ...]] = ("function f() { return 1; }",)
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "見よ、春の川。",
    )

    most: int = 0

    def measure(self, texts: Texts) -> np.ndarray:
        return texts.counted(texts.find("{")).astype(np.float64)
