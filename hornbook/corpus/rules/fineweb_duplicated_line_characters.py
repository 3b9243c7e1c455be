"""Hardly any text in lines that stand there twice (Penedo et al. 2024)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.rules.repetition import repeated_shares
from hornbook.corpus.texts import Texts


@register("fineweb_duplicated_line_characters")
class FinewebDuplicatedLineCharacters(Rule):
    """below: share of characters in lines that an earlier one equals."""

    reason: ClassVar[str] = "text in repeated lines"
    reason_zh: ClassVar[str] = "重复行中的文字过多"
    source: ClassVar[str] = "FineWeb, arXiv 2406.17557, section 3.4"
    hits: ClassVar[tuple[str, ...]] = ("Sign up today\nThe river was calm.\nSign up today",)
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "No.\nThe river was calm and the boats lay still at noon.\nNo.",
    )

    below: float = 0.1

    def measure(self, texts: Texts) -> np.ndarray:
        return repeated_shares(texts, texts.lines)[1]

    def keeps(self, values: np.ndarray) -> np.ndarray:
        kept: np.ndarray = values < self.below
        return kept
