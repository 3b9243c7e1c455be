"""Choosing an id: what is allowed, and what rounding may not change."""

import numpy as np
import pytest

from hornbook.core.errors import HornbookError
from hornbook.generate.sampling import SamplingConfig, choose, likeliest

VOCAB, DRAWS, DRAWN = 20_000, 150, 2000
GREEDY = SamplingConfig(temperature=0)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def generator():
    return np.random.default_rng(3)


@pytest.mark.parametrize("options", [{}, {"top_k": 5000, "top_p": 0.99}])
def test_a_draw_survives_rounding(options):
    """As large as products in float32 give, over many likely ids. The inverse of the distribution
    draws another id in 3 of these 150."""
    config, one, other = SamplingConfig(**options), generator(), generator()
    for draw in range(DRAWS):
        logits = 3 * noise(VOCAB, seed=draw)
        rounded = logits + 2e-5 * noise(VOCAB, seed=1000 + draw)
        assert choose(logits, config, one) == choose(rounded, config, other)


def plainly(weights, config):
    """What top-k, top-p and min-p leave of probabilities: by their definitions."""
    shares = weights.astype(np.float64) / weights.sum(dtype=np.float64)
    order = np.argsort(-shares, kind="stable")
    if config.top_k:
        order = order[: config.top_k]
    before = np.cumsum(shares[order]) - shares[order]
    order = order[before < config.top_p * shares[order].sum()]
    order = order[shares[order] >= config.min_p * shares[order[0]]]
    found = np.zeros(len(shares))
    found[order] = shares[order] / shares[order].sum()
    return found


CUTS = [
    {}, {"top_k": 5}, {"top_k": 90}, {"top_p": 0.6}, {"min_p": 0.2},
    {"top_k": 100, "top_p": 0.9, "min_p": 0.05, "temperature": 1.7},
]  # fmt: skip


@pytest.mark.parametrize("options", CUTS, ids=str)
def test_ids_are_drawn_with_their_shares(options):
    """Over five blocks of ids, one of them not whole: each as often as chance lets it be, and what
    was cut away never."""
    config, draws, logits = SamplingConfig(**options), generator(), noise(300)
    shares = plainly(np.exp(logits / np.float32(config.temperature)), config)
    counts = np.bincount([choose(logits, config, draws) for _ in range(DRAWN)], minlength=300)
    expected = DRAWN * shares
    assert not counts[expected == 0].any()
    often = expected > 5
    surprise = ((counts - expected)[often] ** 2 / expected[often]).sum()
    degrees = often.sum()
    assert surprise < degrees + 4 * np.sqrt(2 * degrees)


def test_the_likeliest_are_those_of_a_sort():
    for seed in range(20):
        values = np.round(noise(1000, seed=seed), 1)  # many are equal
        for count in (1, 7, 15, 16, 17, 400, 1000):
            expected = np.argsort(-values, kind="stable")[:count]
            assert (likeliest(values, count) == expected).all()


def test_equal_to_rounding_is_equal():
    logits = np.float32([1.0, 20.0, 20.0, 3.0])
    for last in (20 + 1e-5, 20 - 1e-5):
        logits[2] = last
        assert choose(logits, GREEDY, generator()) == 1
    logits[2] = 20.001
    assert choose(logits, GREEDY, generator()) == 2
    assert choose(-np.float32([3.0, 1e-7, 0.0]), GREEDY, generator()) == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_only_what_is_allowed_is_chosen(temperature):
    config, draws = SamplingConfig(temperature=temperature), generator()
    logits = np.float32([9.0, 1.0, 2.0, 8.0])
    allowed = np.array([False, True, True, False])
    found = {choose(logits, config, draws, allowed) for _ in range(100)}
    assert found == ({2} if temperature == 0 else {1, 2})
    with pytest.raises(HornbookError, match="allows no token"):
        choose(logits, config, draws, np.zeros(4, bool))


def test_a_limit_changes_no_draw_of_what_it_allows():
    """A request that is limited later goes on with the same generator as one that is not."""
    logits, everything = noise(50), np.ones(50, bool)
    one, other = generator(), generator()
    for _ in range(20):
        free = choose(logits, SamplingConfig(), one)
        assert choose(logits, SamplingConfig(), other, everything) == free


@pytest.mark.parametrize("temperature", [1e-45, 1e-38, 1e-10, 1e-3, 1e38, 1e300, 5e-324])
@pytest.mark.parametrize("sign", [1, -1])
def test_any_temperature_draws_from_what_is_likely(temperature, sign):
    logits = sign * (noise(VOCAB) + np.float32(20))
    config = SamplingConfig(temperature=temperature, top_k=50)
    found = choose(logits, config, generator())
    if temperature < 1:
        assert found in np.argsort(logits)[-50:]
    if temperature < 1e-9:
        assert found == choose(logits, GREEDY, generator())


@pytest.mark.parametrize(
    "options", [{"top_p": 1e-300}, {"min_p": 1 - 1e-12}, {"top_k": 1}, {"top_k": 10**12}]
)
def test_extreme_cuts_leave_the_likeliest(options):
    logits = noise(VOCAB)
    found = choose(logits, SamplingConfig(temperature=0.01, **options), generator())
    assert found == logits.argmax()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("temperature", [0, 1])
def test_logits_that_are_no_numbers_are_an_error(value, temperature):
    logits = noise(VOCAB)
    logits[7] = value
    with pytest.raises(HornbookError, match="no numbers"):
        choose(logits, SamplingConfig(temperature=temperature), generator())
