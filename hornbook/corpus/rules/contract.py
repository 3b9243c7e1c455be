"""What a rule is: it measures each document of a batch and says which values are kept.

A rule is one file: a frozen config whose fields are its thresholds, with defaults and their source.
It is registered by its kind and found by it in recipes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from hornbook.core.config import Config
from hornbook.corpus.texts import Texts

RULES: dict[str, type["Rule"]] = {}
"""Every rule by its kind, in the order of the alphabet once all are imported."""

AnyRule = TypeVar("AnyRule", bound="Rule")


class Rule(Config, ABC):
    """Thresholds of one rule.

    reason: why a document is dropped, in a few words for people, which no other rule gives.
    reason_zh: the same in Chinese. source: where the defaults come from. languages: ISO 639-1 codes
    of those it judges, or None for all; others it always keeps. hits, misses: texts that it must
    drop and must keep at its defaults, each in the first of `languages` or in English. A rule that
    has no defaults, since it needs a model, has none.
    """

    kind: ClassVar[str]
    reason: ClassVar[str]
    reason_zh: ClassVar[str] = ""
    source: ClassVar[str]
    languages: ClassVar[frozenset[str] | None] = None
    hits: ClassVar[tuple[str, ...]]
    misses: ClassVar[tuple[str, ...]]

    def files(self) -> tuple[Path, ...]:
        """What is read beside the thresholds; with another content the same rule judges anew."""
        return ()

    @abstractmethod
    def measure(self, texts: Texts) -> np.ndarray:
        """(N,) float64: what is measured of each document, languages or not."""

    def keeps(self, values: np.ndarray) -> np.ndarray:
        """(N,) bool: which values are kept; from `least` to `most`, where a rule has these."""
        least, most = getattr(self, "least", -np.inf), getattr(self, "most", np.inf)
        kept: np.ndarray = (values >= least) & (values <= most)
        return kept

    def judge(self, texts: Texts) -> tuple[np.ndarray, np.ndarray]:
        """(N,) float32 values, NaN where the rule does not judge, and (N,) bool: which are kept."""
        values = self.measure(texts).astype(np.float32)
        if self.languages is not None:
            values[~texts.written_in(self.languages)] = np.nan
        return values, self.keeps(values) | np.isnan(values)


def register(kind: str) -> Callable[[type[AnyRule]], type[AnyRule]]:
    """Name a rule; raises AssertionError for a name that is taken."""

    def named(rule: type[AnyRule]) -> type[AnyRule]:
        assert kind not in RULES, f"two rules are called {kind}"
        rule.kind = kind
        RULES[kind] = rule
        return rule

    return named


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 where there is no whole."""
    shares: np.ndarray = np.divide(
        part, whole, out=np.zeros(len(part)), where=np.asarray(whole) > 0
    )
    return shares
