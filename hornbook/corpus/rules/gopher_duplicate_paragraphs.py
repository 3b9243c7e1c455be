"""Few paragraphs that stand there twice (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np
from pydantic import PositiveFloat

from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.rules.repetition import repeated_shares
from hornbook.corpus.texts import Texts


@register("gopher_duplicate_paragraphs")
class GopherDuplicateParagraphs(Rule):
    """paragraphs: share of those that an earlier one equals. characters: share that lies in these.

    Measures the larger of both shares, each relative to its threshold: above 1 is too much.
    """

    reason: ClassVar[str] = "many repeated paragraphs"
    reason_zh: ClassVar[str] = "重复段落过多"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, table A1"
    hits: ClassVar[tuple[str, ...]] = (
        "Sign up today\n\nSign up today\n\nSign up today\n\nThe river was calm.",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "Yes.\n\nThe river was calm and the boats lay still.\n\nYes.\n\nSo it was for days.",
        "One line.\nOne line.\nOne line.",
    )
    most: ClassVar[float] = 1.0

    paragraphs: PositiveFloat = 0.30
    characters: PositiveFloat = 0.20

    def measure(self, texts: Texts) -> np.ndarray:
        number, size = repeated_shares(texts, texts.paragraphs)
        return np.maximum(number / self.paragraphs, size / self.characters)
