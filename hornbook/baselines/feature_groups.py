"""What a text classifier sees of a text: groups of features, which turn texts into rows of numbers.

A part is fitted on training texts alone, gives every number a name, and its state is plain JSON and
arrays. Rows of a part have about unit length, so that parts can stand side by side. Legend: N
texts, F numbers of a part.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from hornbook.baselines.character_runs import CharacterRuns
from hornbook.baselines.features import FEATURES, measure_all
from hornbook.core.errors import HornbookError

Matrix = Any
"""scipy.sparse.csr_matrix, (N, F) float64; the raw rows of hand-made features are an array."""


class GroupState(NamedTuple):
    """All a fitted part is: settings that JSON can hold, and arrays."""

    settings: dict[str, Any]
    arrays: dict[str, np.ndarray]


class FeatureGroup(ABC):
    """The contract. `names` is in the order of the columns.

    What is measured on a text (raw) is apart from what is learned of training rows (a scale), so
    that the second can be learned again inside each fold without reading the texts again.
    """

    kind: str

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Of the F columns."""

    @abstractmethod
    def open(self, texts: Sequence[str]) -> Matrix:
        """The raw rows of all training texts, and with them what there is to measure."""

    @abstractmethod
    def raw(self, texts: Sequence[str]) -> Matrix:
        """(N, F) raw rows: each depends on its own text only."""

    @abstractmethod
    def learn(self, raw: Matrix) -> np.ndarray:
        """The scale that these raw rows suggest, without those that are held out."""

    @abstractmethod
    def scaled(self, raw: Matrix, scale: np.ndarray) -> Matrix:
        """(N, F) rows of about unit length."""

    @abstractmethod
    def columns(self, scale: np.ndarray) -> np.ndarray:
        """The numbers of the columns that this scale does not rule out."""

    @abstractmethod
    def keep(self, scale: np.ndarray) -> None:
        """End the training with this scale; from here on, F counts the remaining columns."""

    @abstractmethod
    def transform(self, texts: Sequence[str]) -> Matrix:
        """(N, F) scaled rows, after `keep`."""

    @abstractmethod
    def state(self) -> GroupState:
        """What `restore` needs."""

    @classmethod
    @abstractmethod
    def restore(cls, state: GroupState) -> "FeatureGroup":
        """The fitted part again."""


class Handmade(FeatureGroup):
    """The registered features, standardised over the training texts.

    Values beyond those seen in training are taken as the nearest seen: a text a thousand times as
    long as any other must not decide by its length alone. A scale is (4, F): low, high, mean and
    factor.
    """

    kind = "handmade"

    def __init__(self) -> None:
        self._scale = np.zeros((4, len(FEATURES)))

    @property
    def names(self) -> list[str]:
        return list(FEATURES)

    def open(self, texts: Sequence[str]) -> Matrix:
        return self.raw(texts)

    def raw(self, texts: Sequence[str]) -> Matrix:
        return measure_all(texts)

    def learn(self, raw: Matrix) -> np.ndarray:
        spread = raw.std(0)
        factor = np.where(spread > 0, 1 / np.maximum(spread, 1e-9), 0.0) / len(FEATURES) ** 0.5
        return np.stack([raw.min(0), raw.max(0), raw.mean(0), factor])

    def scaled(self, raw: Matrix, scale: np.ndarray) -> Matrix:
        import scipy.sparse

        low, high, mean, factor = scale
        return scipy.sparse.csr_matrix((np.clip(raw, low, high) - mean) * factor)

    def columns(self, scale: np.ndarray) -> np.ndarray:
        return np.arange(scale.shape[1])

    def keep(self, scale: np.ndarray) -> None:
        self._scale = scale

    def transform(self, texts: Sequence[str]) -> Matrix:
        return self.scaled(self.raw(texts), self._scale)

    def state(self) -> GroupState:
        return GroupState({"features": self.names}, {"scale": self._scale})

    @classmethod
    def restore(cls, state: GroupState) -> "Handmade":
        """Raises HornbookError when the features are not those of this version."""
        part = cls()
        if state.settings["features"] != part.names:
            other = sorted(set(state.settings["features"]) ^ set(part.names))
            raise HornbookError(
                "The classifier was trained with other hand-made features than this version has "
                f"({', '.join(other[:5]) or 'in another order'}). Train it again."
            )
        part._scale = np.asarray(state.arrays["scale"], np.float64)
        return part


Unit = Literal["words", "characters"]
Weighing = Literal["tfidf", "counts"]

_WORDS = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff]+|[^\w\s]+"
"""A character of Chinese, Japanese or Korean; a word of another script; a run of other signs."""

_MANY = 1000
"""Training texts from which on a term must occur in two of them: half of the terms never would."""


class Terms(FeatureGroup):
    """Runs of words, or of characters within words, counted or as TF-IDF.

    TF-IDF: (1 + log count) x (1 + log((1 + N) / (1 + texts with the term))), rows of length 1
    (Salton & Buckley 1988, smoothed as in scikit-learn). A scale is (F,): the second factor, 1 for
    counts, and 0 for terms that are too rare.
    """

    kind = "terms"

    def __init__(self, unit: Unit, shortest: int, longest: int, weighing: Weighing) -> None:
        self.unit, self.shortest, self.longest, self.weighing = unit, shortest, longest, weighing
        self._terms: list[str] = []
        self._scale = np.zeros(0)
        self._counter: Any = None

    @property
    def names(self) -> list[str]:
        """Words as they are, characters in quotes: white space is one of them."""
        plain = self.unit == "words"
        return [f"{self.unit[:-1]} {term if plain else repr(term)}" for term in self._terms]

    def open(self, texts: Sequence[str]) -> Matrix:
        counter = self._make(None)
        try:
            rows = counter.fit_transform(texts)
        except ValueError as error:  # scikit-learn's way to say that no text has any term
            if "vocabulary" not in str(error):
                raise
            self._terms = []
            return self.raw(texts)
        self._terms, self._counter = counter.get_feature_names_out().tolist(), counter
        return rows

    def raw(self, texts: Sequence[str]) -> Matrix:
        import scipy.sparse

        if not self._terms or not texts:
            return scipy.sparse.csr_matrix((len(texts), len(self._terms)))
        return self._counter.transform(texts)

    def learn(self, raw: Matrix) -> np.ndarray:
        count = raw.shape[0]
        texts = np.bincount(raw.indices, minlength=raw.shape[1])
        weight = np.ones(raw.shape[1])
        if self.weighing == "tfidf":
            weight = 1 + np.log((1 + count) / (1 + texts))
        return np.where(texts >= (2 if count >= _MANY else 1), weight, 0.0)

    def scaled(self, raw: Matrix, scale: np.ndarray) -> Matrix:
        rows = raw.copy()
        if self.weighing == "tfidf":
            rows.data = 1 + np.log(rows.data)
        rows.data *= scale[rows.indices]
        if self.weighing == "tfidf":
            squares = np.add.reduceat(np.append(rows.data**2, 0.0), rows.indptr[:-1])
            lengths = np.diff(rows.indptr)
            norms = np.sqrt(np.where(lengths > 0, squares, 0.0))
            rows.data /= np.repeat(np.where(norms > 0, norms, 1.0), lengths)
        return rows

    def columns(self, scale: np.ndarray) -> np.ndarray:
        return np.flatnonzero(scale)

    def keep(self, scale: np.ndarray) -> None:
        kept = self.columns(scale)
        self._set([self._terms[i] for i in kept], scale[kept])

    def _set(self, terms: list[str], scale: np.ndarray) -> None:
        self._terms, self._scale = terms, scale
        self._counter = self._make({t: i for i, t in enumerate(terms)}) if terms else None

    def transform(self, texts: Sequence[str]) -> Matrix:
        return self.scaled(self.raw(texts), self._scale)

    def _make(self, vocabulary: dict[str, int] | None) -> Any:
        if self.unit == "characters":
            return CharacterRuns(self.shortest, self.longest, vocabulary)
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(
            ngram_range=(self.shortest, self.longest),
            dtype=np.float64,
            vocabulary=vocabulary,
            token_pattern=_WORDS,
        )

    def state(self) -> GroupState:
        settings = {
            "unit": self.unit,
            "shortest": self.shortest,
            "longest": self.longest,
            "weighing": self.weighing,
            "terms": self._terms,
        }
        return GroupState(settings, {"scale": self._scale})

    @classmethod
    def restore(cls, state: GroupState) -> "Terms":
        settings = dict(state.settings)
        terms = settings.pop("terms")
        part = cls(**settings)
        part._set(terms, np.asarray(state.arrays["scale"], np.float64))
        return part


KINDS: Mapping[str, type[FeatureGroup]] = {part.kind: part for part in (Handmade, Terms)}
