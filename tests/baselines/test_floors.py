"""Floors are what they say: proper distributions, and the compressors' own sizes."""

import gzip
import lzma
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from hornbook.baselines.compress import (
    gzip_bits_per_byte,
    xz_bits_per_byte,
    xz_given_bits_per_byte,
)
from hornbook.baselines.ngram import NgramModel, _discounts

VOCAB = 9


@pytest.fixture(scope="module")
def stream():
    draw = np.random.default_rng(0)
    return np.cumsum(draw.integers(0, 3, 600)) % (VOCAB - 1)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_probabilities_sum_to_one(stream, order):
    model = NgramModel(stream, VOCAB, order)
    contexts = [stream[i : i + 4] for i in (0, 17, 300)] + [np.full(4, 8), np.array([8, 1, 8, 2])]
    for context in contexts:
        bits = [model.bits(np.append(context, token))[-1] for token in range(VOCAB)]
        assert sum(2**-b for b in bits) == pytest.approx(1, abs=1e-9)


def test_equals_a_slow_reference(stream):
    model, test = NgramModel(stream, VOCAB, 3), np.array([1, 2, 3, 8, 3, 4, 4, 5, 0, 1])
    slow = [
        -math.log2(_slow(stream.tolist(), test[:i].tolist(), int(test[i]), 3)) for i in range(1, 10)
    ]
    assert model.bits(test) == pytest.approx(slow, rel=1e-9)


def _slow(stream, context, token, order):
    """Interpolated modified Kneser-Ney, written from Chen & Goodman's equations."""
    probability = 1 / VOCAB
    for n in range(1, order + 1):
        grams = Counter(tuple(stream[i : i + n]) for i in range(len(stream) - n + 1))
        if n < order:
            longer = {tuple(stream[i : i + n + 1]) for i in range(len(stream) - n)}
            after = Counter(gram[1:] for gram in longer)
            grams = {gram: after[gram] for gram in grams}
        discounts = _discounts(np.array(list(grams.values())))
        by_context = defaultdict(dict)
        for gram, count in grams.items():
            by_context[gram[:-1]][gram[-1]] = count
        if len(context) < n - 1:
            break
        here = by_context.get(tuple(context[len(context) - n + 1 :]), {})
        total = sum(here.values())
        if total == 0:
            break
        taken = sum(discounts[min(count, 3)] for count in here.values())
        count = here.get(token, 0)
        probability = (count - discounts[min(count, 3)] + taken * probability) / total
    return probability


def test_learns_a_pattern():
    model = NgramModel(np.tile([1, 2, 3, 4], 200), 6)
    assert model.bits(np.array([1, 2, 3, 4, 1, 2, 3, 4]))[4:].mean() < 0.1


def test_compressors_give_their_own_sizes():
    texts = ["The same words again and again. " * 30, "春眠不覺曉" * 20]
    data = "".join(texts).encode()
    assert gzip_bits_per_byte(texts) == pytest.approx(
        8 * len(gzip.compress(data, 9)) / len(data), rel=0.02
    )
    assert xz_bits_per_byte(texts) == 8 * len(lzma.compress(data, preset=9)) / len(data)


def test_seen_text_costs_xz_almost_nothing():
    draw = np.random.default_rng(1)
    text = "".join(chr(c) for c in draw.integers(97, 123, 5000))
    given, shown = xz_given_bits_per_byte([text], [text[1000:4000]])
    assert shown == 5000
    assert given < 0.1 * xz_bits_per_byte([text[1000:4000]])
