"""Few lines that stand there twice (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np
from pydantic import PositiveFloat

from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.rules.repetition import repeated_shares
from hornbook.corpus.texts import Texts


@register("gopher_duplicate_lines")
class GopherDuplicateLines(Rule):
    """lines: share of those that an earlier one equals. characters: share that lies in these.

    Measures the larger of both shares, each relative to its threshold: above 1 is too much.
    """

    reason: ClassVar[str] = "many repeated lines"
    reason_zh: ClassVar[str] = "重复行过多"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, table A1"
    hits: ClassVar[tuple[str, ...]] = (
        "Sign up today\nSign up today\nSign up today\nThe river was calm.",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "Yes.\nThe river was calm and the boats lay still at noon.\nYes.\nSo it was for days.",
    )
    most: ClassVar[float] = 1.0

    lines: PositiveFloat = 0.30
    characters: PositiveFloat = 0.20

    def measure(self, texts: Texts) -> np.ndarray:
        number, size = repeated_shares(texts, texts.lines)
        return np.maximum(number / self.lines, size / self.characters)
