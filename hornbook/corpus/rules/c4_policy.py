"""Pages that are about something else than their terms and cookies (Raffel et al. 2020)."""

from typing import ClassVar

import numpy as np

from hornbook.corpus.rules.contract import Rule, register, share
from hornbook.corpus.texts import Spans, Texts

_PHRASES = ("terms of use", "privacy policy")
_COOKIES = ("cookie policy", "uses cookies", "use of cookies", "use cookies")


@register("c4_policy")
class C4Policy(Rule):
    """most: share of lines that speak of terms of use, privacy or cookies.

    C4 removes such lines; here only documents with many of them are dropped.
    """

    reason: ClassVar[str] = "many lines about terms, privacy or cookies"
    reason_zh: ClassVar[str] = "条款、隐私或 Cookie 的行过多"
    source: ClassVar[str] = "C4, arXiv 1910.10683, section 2.2"
    languages: ClassVar[frozenset[str] | None] = frozenset({"en"})
    hits: ClassVar[tuple[str, ...]] = (
        "Welcome\nThis site uses cookies.\nSee our Privacy Policy.",
        "Terms of Use\nPlease read.",
    )
    misses: ClassVar[tuple[str, ...]] = (
        "The river was calm and the boats lay still at noon.",
        "The bakery uses cookie cutters.\nThey are old.",
    )

    most: float = 0.2

    def measure(self, texts: Texts) -> np.ndarray:
        lines = texts.lines
        found = [texts.find(phrase) for phrase in _PHRASES]
        # Looking for the one word that the others share is as good as looking four times.
        named = np.flatnonzero(texts.held(lines, texts.find("cookie")))
        those = Spans(lines.starts[named], lines.stops[named], lines.owners[named])
        found += [texts.find(phrase, those) for phrase in _COOKIES]
        places = np.sort(np.concatenate(found))
        return share(
            texts.per_document(lines, texts.held(lines, places) > 0), texts.per_document(lines)
        )
