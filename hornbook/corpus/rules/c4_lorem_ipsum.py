"""Text that was written, not put there to fill a page (Raffel et al. 2020)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register
from hornbook.corpus.texts import Texts


@register("c4_lorem_ipsum")
class C4LoremIpsum(Rule):
    """most: times that "lorem ipsum" occurs."""

    reason: ClassVar[str] = "filler text (lorem ipsum)"
    reason_zh: ClassVar[str] = "占位文字（lorem ipsum）"
    source: ClassVar[str] = "C4, arXiv 1910.10683, section 2.2"
    hits: ClassVar[tuple[str, ...]] = ("Our story\nLorem ipsum dolor sit amet.",)
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "Dolorem ipsum quia dolor sit amet, wrote Cicero of those who love pain.",
    )

    most: int = 0

    def measure(self, texts: Texts) -> np.ndarray:
        places = texts.find("lorem ipsum")
        # Cicero, from whose "dolorem ipsum" the filler was cut, may be quoted.
        cicero = np.isin(places, texts.find("dolorem ipsum") + len("do"))
        return texts.counted(places[~cicero]).astype(np.float64)
