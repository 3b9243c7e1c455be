"""Initialisation by table."""

import pytest
import torch
from torch import nn

from hornbook.nn.initialise import constant, fan_in, initialise, normal


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
