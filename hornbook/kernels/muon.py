"""Muon's step of matrices as the kernels take it: arrays, checked. Imports no torch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hornbook.kernels import structures
from hornbook.kernels.library import Library
from hornbook.kernels.pointers import array, require

_MOST = 2**31 - 1


class MovedMatrix(NamedTuple):
    """A weight and the momentum of its gradients, (R, C) float32 both, which a step overwrites, and
    its gradient."""

    weight: np.ndarray
    momentum: np.ndarray
    gradient: np.ndarray


def move(
    library: Library,
    matrices: Sequence[MovedMatrix],
    coefficients: np.ndarray,
    *,
    momentum: float,
    kept: float,
    rate: float,
    threads: int | None = None,
) -> None:
    """One step, as `training.muon.Muon` has it, the update made orthogonal in bfloats.

    coefficients: (iterations, 3) float32, of the polynomials. momentum: of the running sum.
    kept: the share of a weight that is left. rate: of square matrices. threads: None for as many as
    compute best.
    """
    moved = (structures.Moved * len(matrices))(*map(_moved, matrices))
    call = structures.MuonStruct(
        matrix=moved,
        matrices=len(matrices),
        iterations=len(coefficients),
        momentum=momentum,
        kept=kept,
        rate=rate,
        coefficients=array(coefficients, (len(coefficients), 3), np.float32),
    )
    library.muon(call, threads)


def _moved(matrix: MovedMatrix) -> structures.Moved:
    rows, columns = matrix.weight.shape
    require(min(rows, columns) > 0 and max(rows, columns) <= _MOST // 2**8, "sizes of 32 bits")
    shape = rows, columns
    return structures.Moved(
        weight=array(matrix.weight, shape, np.float32),
        buffer=array(matrix.momentum, shape, np.float32),
        gradient=array(matrix.gradient, shape, np.float32),
        rows=rows,
        columns=columns,
    )
