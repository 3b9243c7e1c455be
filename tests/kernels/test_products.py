"""Products with every form of matrix: what a row gives, whatever the number of rows beside it."""

import numpy as np
import pytest

from hornbook import kernels as native
from hornbook.kernels import check, pointers
from hornbook.kernels.quantised import matrix_of, tiles
from hornbook.kernels.structures import FORMS
from tests.levels import each_level  # noqa: F401

OUTPUTS, INPUTS = 48, 512
ROWS = (2, 3, 5, 8, 9, 15, 16, 17, 24, 31, 33, 40)
"""Computed as 16 on a grid where there is one, 8, 4, 2, 1, and as sums of these."""


@pytest.mark.usefixtures("each_level")
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_row_gives_the_same_bits_in_any_company(form):
    codes = check._codes((OUTPUTS, INPUTS), form, 1)
    made = tiles(matrix_of(codes))
    matrix, library = pointers.matrix(made), native.library()
    x = np.random.default_rng(0).normal(size=(max(ROWS), INPUTS)).astype(np.float32)
    alone = np.concatenate([library.product(matrix, row[None], threads=1) for row in x])
    wanted = x @ codes.dequantised().T
    # On a grid floats are sums of two parts: without one of them, errors are 400 times as large.
    close = 3e-5 if form.exponent else 1e-3
    assert np.abs(alone - wanted).max() < close * np.abs(wanted).max()
    for rows in ROWS:
        assert np.array_equal(library.product(matrix, x[:rows], threads=2), alone[:rows])
