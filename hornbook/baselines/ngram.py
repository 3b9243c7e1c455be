"""A token n-gram model with interpolated modified Kneser-Ney smoothing (Chen & Goodman 1999).

Exact counts in sorted arrays: an n-gram is numbered by its (n-1)-gram's number and its last token,
so nothing is hashed and nothing collides.
"""

from typing import NamedTuple

import numpy as np

ORDER = 5
MOST_TOKENS = 20_000_000
"""Training tokens used at the most: counting them takes about 2 GB."""


class _Grams(NamedTuple):
    """All n-grams of one length in a stream.

    keys: sorted, context number * V + token; an n-gram's number is its place here. numbers: of the
    n-gram ending at each position, -1 where there is none. first: where each n-gram first ends.
    """

    keys: np.ndarray
    numbers: np.ndarray
    first: np.ndarray


_LEAST_DISCOUNT = 0.05


class _Order(NamedTuple):
    """What one length says. mass: discounted count of each n-gram.

    total, backoff: of each context, its count and the share it leaves to the shorter context.
    """

    keys: np.ndarray
    mass: np.ndarray
    total: np.ndarray
    backoff: np.ndarray


class NgramModel:
    """Trained on `tokens` (N,) ids below `vocab`; the stream runs on from document to document."""

    def __init__(self, tokens: np.ndarray, vocab: int, order: int = ORDER) -> None:
        self.vocab = vocab
        tokens = tokens[-MOST_TOKENS:].astype(np.int64)
        grams: list[_Grams] = []
        for _ in range(order):
            grams.append(_next_grams(tokens, vocab, grams[-1].numbers if grams else None))
        contexts = [1, *(len(gram.keys) for gram in grams)]
        self._orders = [
            _smooth(gram.keys, _counts(grams, n), vocab, contexts[n])
            for n, gram in enumerate(grams)
        ]

    def bits(self, tokens: np.ndarray) -> np.ndarray:
        """-log2 p of each token after the first, given those before it, (N - 1,)."""
        tokens = tokens.astype(np.int64)
        probability = np.full(len(tokens), 1 / self.vocab)
        context = np.zeros(len(tokens), np.int64)
        for order in self._orders:
            key = context * self.vocab + tokens
            place = np.minimum(np.searchsorted(order.keys, key), len(order.keys) - 1)
            found = (order.keys[place] == key) & (context >= 0)
            total = np.where(context >= 0, order.total[context], 0.0)
            seen = np.where(found, order.mass[place], 0.0) / np.maximum(total, 1.0)
            mixed = seen + order.backoff[context] * probability
            probability = np.where(total > 0, mixed, probability)
            context = np.concatenate([[-1], np.where(found, place, -1)[:-1]])
        bits: np.ndarray = -np.log2(probability[1:])
        return bits


def _next_grams(tokens: np.ndarray, vocab: int, shorter: np.ndarray | None) -> _Grams:
    """The n-grams that continue the (n-1)-grams numbered `shorter`; the 1-grams for None."""
    if shorter is None:
        context = np.zeros(len(tokens), np.int64)
    else:
        context = np.concatenate([[-1], shorter[:-1]])
    whole = np.flatnonzero(context >= 0)
    keys, first, inverse = np.unique(
        context[whole] * vocab + tokens[whole], return_index=True, return_inverse=True
    )
    numbers = np.full(len(tokens), -1, np.int64)
    numbers[whole] = inverse
    return _Grams(keys, numbers, whole[first])


def _counts(grams: list[_Grams], n: int) -> np.ndarray:
    """How often each n-gram occurs; below the top, after how many different tokens it does."""
    size = len(grams[n].keys)
    if n + 1 == len(grams):
        return np.bincount(grams[n].numbers[grams[n].numbers >= 0], minlength=size)
    return np.bincount(grams[n].numbers[grams[n + 1].first], minlength=size)


def _smooth(keys: np.ndarray, counts: np.ndarray, vocab: int, contexts: int) -> _Order:
    """Discount each count by its size, and give what was taken to the shorter context (eq. 26)."""
    discount = _discounts(counts)[np.minimum(counts, 3)]
    context = keys // vocab
    total = np.bincount(context, counts, minlength=contexts)
    taken = np.bincount(context, discount, minlength=contexts)
    return _Order(keys, counts - discount, total, taken / np.maximum(total, 1.0))


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from counts of 0, 1, 2 and more (eq. 27); 0.75 where too little is known."""
    n1, n2, n3, n4 = (float((counts == c).sum()) for c in (1, 2, 3, 4))
    if not all((n1, n2, n3, n4)):
        return np.array([0.0, 0.75, 0.75, 0.75])
    y = n1 / (n1 + 2 * n2)
    found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
    # Of small texts these may be negative, but something is left for what was never seen.
    return np.array([0.0, *np.clip(found, _LEAST_DISCOUNT, (1.0, 2.0, 3.0))])
