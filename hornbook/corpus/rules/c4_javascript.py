"""Pages that show more than a request to switch Javascript on (Raffel et al. 2020)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.texts import Spans, Texts

_ASKING = ("enable", "disabled", "turn on", "turned off", "requires", "not support")


@register("c4_javascript")
class C4Javascript(Rule):
    """most: share of lines that ask for Javascript.

    C4 removes every line with the word. Here a line must also speak of enabling it or its like, so
    that texts about the language stay, and only documents with many such lines are dropped.
    """

    reason: ClassVar[str] = "a request to enable Javascript"
    reason_zh: ClassVar[str] = "要求启用 JavaScript"
    source: ClassVar[str] = "C4, arXiv 1910.10683, section 2.2"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    hits: ClassVar[tuple[str, ...]] = (
        "Please enable JavaScript to view this page.",
        "Shop\nJavascript is disabled in your browser.\nCart",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "JavaScript was made in ten days.\nIt is now everywhere.",
        "The river was calm and the boats lay still at noon.",
    )

    most: float = 0.2

    def measure(self, texts: Texts) -> np.ndarray:
        lines = texts.lines
        named = np.flatnonzero(texts.held(lines, texts.find("javascript")))
        those = Spans(lines.starts[named], lines.stops[named], lines.owners[named])
        asked = np.zeros(len(named), bool)
        for word in _ASKING:
            asked |= texts.held(those, texts.find(word, those)) > 0
        return share(texts.per_document(those, asked), texts.per_document(lines))
