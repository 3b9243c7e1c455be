"""What codes of a few bits stand for: weights of a row in groups that share a scale.

In numpy, without torch. Knows no order of bytes, neither that of files nor that of the kernels.
"""

from typing import NamedTuple

import numpy as np

TABLE = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8
)
"""What four bits stand for where steps are wider for larger weights (llama.cpp's IQ4_NL)."""


class Form(NamedTuple):
    """How weights are stored.

    bits: of a code. group: weights of a row that share a scale, 16 or 32. unit: those whose groups
    have whole multiples of one scale; as large as a group where each has its own. offsets: whether
    zero lies elsewhere in each group; otherwise it is the middle code. table: whether codes are
    places in `TABLE`. exponent: where weights are not codes but floats of 16 bits, its bits.
    """

    bits: int
    group: int = 32
    unit: int = 32
    offsets: bool = False
    table: bool = False
    exponent: int = 0


HALVES, BFLOATS = Form(16, exponent=5), Form(16, exponent=8)
"""Floats of 16 bits."""


_NONE = np.empty((0, 0), np.float32)


class Codes(NamedTuple):
    """weight = scale * step * code + offset * offset_step, or scale * step * (code - middle).

    values: (N, K) uint8, a code each; uint16 of floats, which have nothing else. scale, offset:
    (N, K / unit) float32. steps, offset_steps: (N, K / group) int8, where a unit has several
    groups. Offsets only where the form has them.
    """

    form: Form
    values: np.ndarray
    scale: np.ndarray = _NONE
    offset: np.ndarray | None = None
    steps: np.ndarray | None = None
    offset_steps: np.ndarray | None = None

    def scales(self) -> np.ndarray:
        """(N, K / group) float32: of each group."""
        return _of_groups(self.scale, self.steps)

    def offsets(self) -> np.ndarray:
        """(N, K / group) float32: what the code 0 stands for; without a table."""
        if self.offset is not None:
            return _of_groups(self.offset, self.offset_steps)
        return np.float32(-(2 ** (self.form.bits - 1))) * self.scales()

    def dequantised(self) -> np.ndarray:
        """(N, K) float32: the weights that they stand for."""
        form, rows = self.form, len(self.values)
        if form == HALVES:
            return self.values.view(np.float16).astype(np.float32)
        if form == BFLOATS:
            return (self.values.astype(np.uint32) << 16).view(np.float32)
        groups = self.values.reshape(rows, -1, form.group)
        scales = self.scales()[..., None]
        if form.table:
            found = scales * TABLE[groups].astype(np.float32)
        elif form.offsets:
            found = scales * groups.astype(np.float32) + self.offsets()[..., None]
        else:
            found = scales * (groups.astype(np.float32) - np.float32(2 ** (form.bits - 1)))
        weights: np.ndarray = found.reshape(rows, -1)
        return weights


def _of_groups(of_units: np.ndarray, steps: np.ndarray | None) -> np.ndarray:
    if steps is None:
        return of_units
    each = steps.reshape(*of_units.shape, -1).astype(np.float32)
    found: np.ndarray = (of_units[..., None] * each).reshape(len(steps), -1)
    return found
