"""Rotary positions: a rotation, so lengths stay and only distances count."""

import torch

from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.rotary import angles, rotate

X = torch.randn(1, 2, 6, 8, generator=torch.Generator().manual_seed(0))
POS = torch.arange(6)[None]


def at(x, pos):
    return rotate(x, *angles(pos, RotaryConfig(theta=100.0).frequencies(8).tolist(), 1.0, x.dtype))


def test_position_0_is_left_as_it_is_and_lengths_stay():
    rotated = at(X, POS)
    torch.testing.assert_close(rotated[:, :, 0], X[:, :, 0])
    torch.testing.assert_close(rotated.norm(dim=-1), X.norm(dim=-1))
    assert not torch.allclose(rotated[:, :, 1:], X[:, :, 1:], atol=0.1)


def test_products_depend_on_the_distance_only():
    near, far = at(X, POS), at(X, POS + 50)
    torch.testing.assert_close(near @ near.mT, far @ far.mT, atol=1e-4, rtol=1e-4)


def test_rows_may_stand_at_different_positions():
    pos = torch.tensor([[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8]])
    both = at(X.expand(2, -1, -1, -1), pos)
    torch.testing.assert_close(both[1:], at(X, pos[1:]))


def test_short_floats_stay_short():
    assert at(X.bfloat16(), POS).dtype == torch.bfloat16
