"""Vectors of sentences by their words, where no encoder is there: terms weighted by rarity.

TF-IDF over hashed terms. Near sentences share rare words; meanings are not known.
"""

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hornbook.retrieve.terms import analyser, stop_words

_WIDTH = 2048


def word_vectors(texts: Sequence[str], language: str) -> np.ndarray:
    """(N, D) float32, rows of length one; zero where a text has no word of content."""
    terms = analyser(language).terms
    stops = {term for word in stop_words(language) for term in terms(word)}
    counts = [Counter(t for t in terms(text) if t not in stops) for text in texts]
    seen = Counter(term for count in counts for term in count)
    found = np.zeros((len(texts), _WIDTH), np.float32)
    for row, count in zip(found, counts, strict=True):
        for term, times in count.items():
            weight = (1 + np.log(times)) * np.log(1 + len(texts) / seen[term])
            row[zlib.crc32(term.encode()) % _WIDTH] += weight
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    found /= np.maximum(lengths, 1e-9)
    return found
