"""A power law is found where there is one, and says how far it may be trusted."""

import numpy as np
import pytest

from hornbook.training.power_law import PowerLaw

SIZES = (1000, 2000, 4000, 8000)


def test_what_is_a_power_law_is_foretold():
    law = PowerLaw.through(SIZES, [5 * size**-0.2 for size in SIZES])
    assert law.exponent == pytest.approx(0.2) and law.scale == pytest.approx(5)
    found = law.at(64_000)
    assert found.value == pytest.approx(5 * 64_000**-0.2)
    assert found.high - found.low < 1e-6


def test_the_interval_holds_a_new_run_as_often_as_it_says():
    draw, inside = np.random.default_rng(0), []
    for _ in range(400):
        losses = [5 * size**-0.2 * np.exp(draw.normal(0, 0.02)) for size in SIZES]
        found = PowerLaw.through(SIZES, losses).at(16_000)
        new = 5 * 16_000**-0.2 * np.exp(draw.normal(0, 0.02))
        inside.append(found.low <= new <= found.high)
    assert 0.91 < np.mean(inside) < 0.99


def test_the_interval_grows_with_the_distance():
    losses = [5 * size**-0.2 * (1 + 0.01 * (-1) ** i) for i, size in enumerate(SIZES)]
    law = PowerLaw.through(SIZES, losses)
    near, far = law.at(16_000), law.at(256_000)
    assert np.log(far.high / far.low) > 1.5 * np.log(near.high / near.low)
