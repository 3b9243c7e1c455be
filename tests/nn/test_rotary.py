"""Rotary positions: a turn, so lengths stay and only distances count."""

import torch

from hornbook.nn.rotary import rotate

X = torch.randn(1, 2, 6, 8, generator=torch.Generator().manual_seed(0))
POS = torch.arange(6)[None]


def test_position_0_is_left_as_it_is_and_lengths_stay():
    turned = rotate(X, POS, 100.0)
    torch.testing.assert_close(turned[:, :, 0], X[:, :, 0])
    torch.testing.assert_close(turned.norm(dim=-1), X.norm(dim=-1))
    assert not torch.allclose(turned[:, :, 1:], X[:, :, 1:], atol=0.1)


def test_products_depend_on_the_distance_only():
    near, far = rotate(X, POS, 100.0), rotate(X, POS + 50, 100.0)
    torch.testing.assert_close(near @ near.mT, far @ far.mT, atol=1e-4, rtol=1e-4)


def test_rows_may_stand_at_different_positions():
    pos = torch.tensor([[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8]])
    both = rotate(X.expand(2, -1, -1, -1), pos, 100.0)
    torch.testing.assert_close(both[1:], rotate(X, pos[1:], 100.0))


def test_short_floats_stay_short():
    assert rotate(X.bfloat16(), POS, 100.0).dtype == torch.bfloat16
