"""What rules on repetition count: spans that stand there again, phrases by the words they have."""

from collections.abc import Callable, Sequence

import numpy as np

from hornbook.corpus.rules.contract import share
from hornbook.corpus.rules.writing import CHARACTERS_A_WORD, SYLLABIC
from hornbook.corpus.texts import Spans, Texts


def repeated_shares(texts: Texts, spans: Spans) -> tuple[np.ndarray, np.ndarray]:
    """(N,) each: the share of spans that an earlier one equals, and of characters in these."""
    again = texts.repeated(texts.hashes(spans), spans.owners)
    lengths = texts.lengths(spans)
    number = share(texts.per_document(spans, again), texts.per_document(spans))
    size = share(texts.per_document(spans, lengths * again), texts.per_document(spans, lengths))
    return number, size


def largest(
    texts: Texts, limits: Sequence[tuple[int, float]], share_of: Callable[[Texts, int], np.ndarray]
) -> np.ndarray:
    """(N,) the largest of `share_of` runs of so many words, each relative to its limit.

    limits: (words, limit). In Chinese and Japanese, where a word here is one character, runs are
    twice as long.
    """
    single = texts.written_in(SYLLABIC)
    values = np.zeros(texts.count)
    for size, most in limits:
        found = share_of(texts, size)
        if single.any():
            found = np.where(single, share_of(texts, size * CHARACTERS_A_WORD), found)
        values = np.maximum(values, found / most)
    return values
