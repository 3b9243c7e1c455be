"""Counts runs of characters within words: each different word is taken apart once.

Texts repeat their words, so that counting words and taking these apart is several times as fast as
taking texts apart, with the same counts. Legend: N texts, W words, F runs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


class CharacterRuns:
    """As scikit-learn's CountVectorizer(analyzer="char_wb"), and what `Terms` needs of it.

    A word stands between white space, in small letters, with a blank before and after it.
    """

    def __init__(self, shortest: int, longest: int, vocabulary: dict[str, int] | None) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        self._runs = CountVectorizer(
            analyzer="char_wb",
            ngram_range=(shortest, longest),
            dtype=np.float64,
            vocabulary=vocabulary,
        )

    def fit_transform(self, texts: Sequence[str]) -> Any:
        """(N, F) float64 counts; raises ValueError where no text has a word, as scikit-learn."""
        words, counts = _words(texts)
        return _product(counts, self._runs.fit_transform(words))

    def transform(self, texts: Sequence[str]) -> Any:
        """(N, F) of the runs that are known."""
        words, counts = _words(texts)
        return _product(counts, self._runs.transform(words))

    def get_feature_names_out(self) -> np.ndarray:
        """The F runs in the order of the columns."""
        names: np.ndarray = self._runs.get_feature_names_out()
        return names


def _words(texts: Sequence[str]) -> tuple[list[str], Any]:
    """The different words, and (N, W) float64 how often each text has each."""
    import scipy.sparse

    known: dict[str, int] = {}
    ends, places = [0], []
    for text in texts:
        places += [known.setdefault(word, len(known)) for word in text.lower().split()]
        ends.append(len(places))
    if not known:  # scikit-learn takes no empty list
        known[""] = 0
    found = scipy.sparse.csr_matrix(
        (np.ones(len(places)), places, ends), (len(texts), len(known)), dtype=np.float64
    )
    found.sum_duplicates()
    return list(known), found


def _product(counts: Any, runs: Any) -> Any:
    found = (counts @ runs).tocsr()
    found.sort_indices()
    return found
