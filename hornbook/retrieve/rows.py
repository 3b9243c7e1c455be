"""Rows of half floats in a file, and those with the largest products with a vector.

Beside the rows lie codes of eight bits, in the order in which our kernels read them: half as many
bytes, and a product by them is off by no more than is known. So all rows are looked at by their
codes, and those that could be among the best by their own numbers. Without kernels all are.
"""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hornbook.kernels import library, pointers
from hornbook.kernels.codes import Codes, Form
from hornbook.kernels.quantised import Tiles, matrix_of, tiles
from hornbook.kernels.structures import GROUP, TILE, unit_bytes

_FORM = Form(8)
_HALF = 2 ** (_FORM.bits - 1)
_AT_ONCE = 4096
"""Rows that numpy makes wider at a time, which stay in the cache."""
_ROUNDED = 5e-4
"""What a product by codes may be off besides: inputs of fifteen bits, scales of half floats."""


class RowsWriter:
    """Writes rows (N, D) in parts, each but the last of a multiple of 16."""

    def __init__(self, rows: BinaryIO, codes: BinaryIO) -> None:
        self._rows, self._codes = rows, codes
        self.steps = np.zeros(0, np.float32)

    def write(self, rows: np.ndarray) -> None:
        """Rows behind those that are there. Afterwards `steps` (D / 32,) are the largest distances
        of two codes in each group of 32 columns."""
        halves = rows.astype(np.float16)
        self._rows.write(np.ascontiguousarray(halves).data)
        (count, width), shape = rows.shape, (_whole(len(rows), TILE), _whole(rows.shape[1], GROUP))
        whole = np.zeros(shape, np.float32)
        whole[:count, :width] = halves
        groups = whole.reshape(shape[0], -1, GROUP)
        scale = (np.abs(groups).max(2) / (_HALF - 1)).astype(np.float16).astype(np.float32)
        places = np.rint(groups / np.where(scale == 0, 1, scale)[..., None])
        values = (places.clip(1 - _HALF, _HALF - 1) + _HALF).astype(np.uint8).reshape(shape)
        packed = tiles(matrix_of(Codes(_FORM, values, scale)))
        self._codes.write(packed.blocks.data)
        largest = scale.max(0)
        self.steps = np.maximum(self.steps, largest) if len(self.steps) else largest


class MappedRows:
    """The rows of a pair of files: `count` of `width`. steps: as they were written.

    Raises OSError where there is no file, and ValueError for one of another size.
    """

    def __init__(self, rows: Path, codes: Path, count: int, width: int, steps: np.ndarray) -> None:
        shape = _whole(count, TILE) // TILE, _whole(width, GROUP) // GROUP, unit_bytes(_FORM)
        for path, size in ((rows, 2 * count * width), (codes, math.prod(shape))):
            if path.stat().st_size != size:
                raise ValueError(f"{path} has another size")
        if len(steps) != shape[1]:
            raise ValueError(f"{codes} has other groups")
        self.count, self._width, self._steps = count, width, steps
        self._rows = np.memmap(rows, np.float16, "r", shape=(count, width))
        self._codes = np.memmap(codes, np.uint8, "r", shape=shape)
        self._kernels = library()

    def products(self, vector: np.ndarray) -> tuple[np.ndarray, float]:
        """(N,) float32 of all rows with a vector (D,), and by how much each may be off."""
        if self._kernels is None:
            starts = range(0, self.count, _AT_ONCE)
            parts = [self._rows[i : i + _AT_ONCE].astype(np.float32) @ vector for i in starts]
            return np.concatenate(parts), 0.0
        count, units, _ = self._codes.shape
        x = np.zeros((1, units * GROUP), np.float32)
        x[0, : self._width] = vector
        whole = Tiles(self._codes, None, count * TILE, units * GROUP, _FORM)
        # One thread: the codes of 80,000 rows take it 3 ms, and on a busy machine several wait for
        # one another longer than that.
        found = self._kernels.product(pointers.matrix(whole), x, threads=1)[0, : self.count]
        off = float(np.abs(x).reshape(units, GROUP).sum(1) @ self._steps) / 2
        return found, off + _ROUNDED

    def exactly(self, places: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """(n,) float32: the products of some rows (n,)."""
        found: np.ndarray = self._rows[places].astype(np.float32) @ vector
        return found


def _whole(count: int, unit: int) -> int:
    """The next multiple of a unit."""
    return math.ceil(count / unit) * unit
