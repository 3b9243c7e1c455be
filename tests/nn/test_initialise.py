"""Initialisation by table."""

import pytest
import torch
from torch import nn

from hornbook.nn.initialise import (
    constant,
    fan_in,
    forget_bias,
    initialise,
    log_uniform,
    normal,
    softplus_log_uniform,
)


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(400, 300), nn.Linear(300, 5))


TABLE = (("*.bias", constant(0.5)), ("0.*", fan_in(2.0)), ("*", normal(0.1)))


def test_the_first_rule_that_matches_fills_a_parameter():
    made = model()
    initialise(made, TABLE, seed=1)
    assert (made[0].bias == 0.5).all()
    assert (made[1].bias == 0.5).all()
    assert made[0].weight.std().item() == pytest.approx(2 / 20, rel=0.02)
    assert made[1].weight.std().item() == pytest.approx(0.1, rel=0.1)


def test_a_parameter_without_a_rule_is_an_error_with_its_name():
    with pytest.raises(LookupError, match=r"1\.weight"):
        initialise(model(), TABLE[:2], seed=1)


def test_the_same_seed_gives_the_same_weights_whatever_else_drew_numbers():
    one, same, other = model(), model(), model()
    initialise(one, TABLE, seed=1)
    torch.manual_seed(7)
    initialise(same, TABLE, seed=1)
    initialise(other, TABLE, seed=2)
    assert torch.equal(one[0].weight, same[0].weight)
    assert torch.equal(one[1].weight, same[1].weight)
    assert not torch.equal(one[0].weight, other[0].weight)


def drawn(rule, count: int = 4000) -> torch.Tensor:
    weight = torch.zeros(count)
    rule(weight, torch.Generator().manual_seed(0))
    return weight


def test_log_uniform_values_are_logarithms_of_even_ones():
    values = drawn(log_uniform(1, 16)).exp()
    assert values.min() >= 1 - 1e-5
    assert values.max() <= 16 + 1e-4
    assert values.mean().item() == pytest.approx(8.5, rel=0.03)


def test_softplus_undoes_its_rule():
    values = nn.functional.softplus(drawn(softplus_log_uniform(1e-3, 0.1)))
    assert values.min() >= 1e-3 * (1 - 1e-3)
    assert values.max() <= 0.1 * (1 + 1e-3)
    assert values.log().mean().exp().item() == pytest.approx(0.01, rel=0.05)


def test_only_the_forget_gate_begins_open():
    assert drawn(forget_bias(), 8).tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
