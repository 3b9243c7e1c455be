"""Muon's step by our kernels: torch's in float32, nearer to it than torch's in bfloat16."""

import numpy as np
import pytest
import torch

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.kernels.muon import MovedMatrix, move
from hornbook.training.muon import Muon, orthogonalise
from tests.tiny import need_kernels

SHAPES = ((32, 32), (96, 40), (40, 96), (33, 7), (1, 8), (8, 1))
NEAR = 0.04
"""Of the norm of an update, where torch in bfloat16 is not further away: five iterations in floats
of eight bits."""


@pytest.fixture(scope="module", autouse=True)
def library():
    need_kernels()
    return native.library()


def noise(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def stepped(shapes, dtype, steps=2, gradients=noise, apart=False):
    weights = [torch.nn.Parameter(noise(*s, seed=i)) for i, s in enumerate(shapes)]
    rule = Muon(weights, 0.1, 0.9, 0.5, dtype)
    if apart:  # as several processes do, which no kernel does
        rule.orthogonal = lambda ahead, dtype: orthogonalise(torch.stack(list(ahead)), dtype)
    assert rule._by_kernel(weights) == (dtype == torch.bfloat16 and not apart)
    for step in range(steps):
        for i, weight in enumerate(weights):
            weight.grad = gradients(*weight.shape, seed=100 + 10 * step + i)
        rule.step()
    return weights, [rule.state[w]["momentum"] for w in weights]


@pytest.mark.parametrize("shape", SHAPES)
def test_is_torchs(shape):
    (ours, momenta), (theirs, expected) = (
        stepped([shape], dtype) for dtype in (torch.bfloat16, torch.float32)
    )
    start = noise(*shape, seed=0) * 0.95**2
    moved, right = ours[0].detach() - start, theirs[0].detach() - start
    torch.testing.assert_close(momenta, expected)
    other = stepped([shape], torch.bfloat16, apart=True)[0][0].detach() - start
    assert (moved - right).norm() < max(NEAR * right.norm(), 1.2 * (other - right).norm())


def test_zero_gradient_moves_nothing():
    (weight,), _ = stepped([(40, 96)], torch.bfloat16, gradients=lambda *s, seed: torch.zeros(s))
    torch.testing.assert_close(weight.detach(), noise(40, 96, seed=0) * 0.95**2)


def test_no_number_stays_none():
    (weight,), _ = stepped(
        [(40, 96)], torch.bfloat16, gradients=lambda *s, seed: torch.full(s, torch.nan)
    )
    assert weight.isnan().all()


def test_company_and_threads_change_no_bit(library):
    coefficients = np.array([[3.0, -3.0, 1.0]] * 3, np.float32)
    first = None
    for threads in (1, 2, 3):
        matrices = [
            MovedMatrix(*(noise(*s, seed=10 * i + k).numpy() for k in range(3)))
            for i, s in enumerate(SHAPES)
        ]
        call = {"momentum": 0.9, "kept": 0.9, "rate": 0.1, "threads": threads}
        for part in (matrices,) if threads < 3 else ([each] for each in matrices):
            move(library, part, coefficients, **call)
        first = first or matrices
        for a, b in zip(first, matrices, strict=True):
            assert np.array_equal(a.weight, b.weight) and np.array_equal(a.momentum, b.momentum)


def test_refuses_what_does_not_fit(library):
    weight, wrong = np.zeros((4, 8), np.float32), np.zeros((4, 7), np.float32)
    coefficients = np.zeros((2, 3), np.float32)
    call = {"momentum": 0.9, "kept": 1.0, "rate": 0.1}
    for matrix, numbers in (
        (MovedMatrix(weight, wrong, weight), coefficients),
        (MovedMatrix(weight, weight, weight.astype(np.float64)), coefficients),
        (MovedMatrix(weight, weight, weight), coefficients[:, :2]),
        (MovedMatrix(weight[:0], weight[:0], weight[:0]), coefficients),
    ):
        with pytest.raises(HornbookError, match="the kernels need"):
            move(library, [matrix], numbers, **call)
