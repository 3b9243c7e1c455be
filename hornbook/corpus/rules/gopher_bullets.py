"""Text that is more than one list (Rae et al. 2021)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.texts import Texts

# No dashes: in many languages these open a line of speech.
_BULLETS = (*"•‣⁃◦●○■□▪▫▶►◆◇➢➤✓✔", "* ", "- ", "· ", "・")


@register("gopher_bullets")
class GopherBullets(Rule):
    """most: share of lines that start with a bullet."""

    reason: ClassVar[str] = "nearly all lines are bullet points"
    reason_zh: ClassVar[str] = "几乎全是列表项"
    source: ClassVar[str] = "Gopher, arXiv 2112.11446, appendix A.1.1, quality filtering"
    hits: ClassVar[tuple[str, ...]] = (
        "• Home\n• News\n• Contact",
        "- eggs\n- milk\n* bread",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "You will need:\n- eggs\n- milk",
        "-5 degrees at night, and no wind.",
        "— Bonjour, dit-il.\n— Bonjour.",
    )

    most: float = 0.9

    def measure(self, texts: Texts) -> np.ndarray:
        lines = texts.lines
        listed = texts.begin_with(lines, _BULLETS)
        return share(texts.per_document(lines, listed), texts.per_document(lines))
