"""Dropout drops the share it is asked for, keeps the mean, and is drawn from torch's seed."""

import pytest
import torch

from hornbook.nn.dropout import Dropout


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_share_and_mean(share):
    torch.manual_seed(0)
    x = torch.ones(300, 333, requires_grad=True)
    y = Dropout(share)(x)
    assert float((y == 0).float().mean()) == pytest.approx(share, abs=0.006)
    assert float(y.detach().mean()) == pytest.approx(1, abs=0.02)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_each_channel_by_itself():
    torch.manual_seed(0)
    dropped = (Dropout(0.5)(torch.ones(4096, 64)) == 0).double()
    assert float(dropped.T.cov().fill_diagonal_(0).abs().max()) < 0.03
    assert float(dropped.mean(0).std()) < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_seed_drops_the_same(dtype):
    x = torch.ones(7, 5, 3, dtype=dtype)
    torch.manual_seed(3)
    first = Dropout(0.5)(x)
    torch.manual_seed(3)
    assert torch.equal(Dropout(0.5)(x), first)
    assert first.dtype == dtype


def test_nothing_is_dropped_outside_training_or_without_a_share():
    x = torch.randn(4, 4)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
