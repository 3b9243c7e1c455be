"""Rows of half floats, to be multiplied with one vector: all of them, in an order for kernels.

Sixteen rows lie side by side, as `kernels/forms.h` has floats of 16 bits, so that the kernels read
a file as it is; without them numpy does, some times slower. Nothing is rounded but the sums.
"""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hornbook.kernels import library, pointers
from hornbook.kernels.codes import HALVES
from hornbook.kernels.quantised import Tiles
from hornbook.kernels.structures import GROUP, TILE

_AT_ONCE = 256
"""Tiles that numpy makes wider at a time, which stay in the cache."""


def file_bytes(count: int, width: int) -> int:
    """Of a file of so many rows."""
    return 2 * _whole(count, TILE) * _whole(width, GROUP)


def write_rows(stream: BinaryIO, rows: np.ndarray) -> None:
    """Write rows (N, D) behind those that are there, which 16 divides."""
    count, width = rows.shape
    whole = np.zeros((_whole(count, TILE), _whole(width, GROUP)), np.float16)
    whole[:count, :width] = rows
    tiles = whole.reshape(-1, TILE, whole.shape[1]).transpose(0, 2, 1)
    stream.write(np.ascontiguousarray(tiles).data)


class HalfRows:
    """The rows of a file: `count` of `width`.

    Raises OSError where there is no file, and ValueError for one of another size.
    """

    def __init__(self, path: Path, count: int, width: int) -> None:
        self.count, self._width = count, width
        shape = _whole(count, TILE) // TILE, _whole(width, GROUP), TILE
        if path.stat().st_size != file_bytes(count, width):
            raise ValueError(f"{path} has another size")
        self._tiles = np.memmap(path, np.float16, "r", shape=shape)
        self._kernels = library()

    def products(self, vector: np.ndarray) -> np.ndarray:
        """(N,) float32: of each row with a vector (D,)."""
        tiles, width = len(self._tiles), self._tiles.shape[1]
        x = np.zeros((1, width), np.float32)
        x[0, : self._width] = vector
        if self._kernels is None:
            parts = (self._tiles[i : i + _AT_ONCE] for i in range(0, tiles, _AT_ONCE))
            found = np.concatenate([x @ part.astype(np.float32) for part in parts]).reshape(-1)
        else:
            blocks = self._tiles.view(np.uint8).reshape(tiles, width // GROUP, -1)
            whole = Tiles(blocks, None, tiles * TILE, width, HALVES)
            found = self._kernels.product(pointers.matrix(whole), x)[0]
        return found[: self.count]


def _whole(count: int, unit: int) -> int:
    """The next multiple of a unit."""
    return math.ceil(count / unit) * unit
