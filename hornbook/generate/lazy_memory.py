"""Arrays of zeros whose memory is taken page by page, as it is written to, and can be given back.

NumPy asks for huge pages for large arrays, of which a few bytes in each head of a cache take the
whole: four slots of 8,192 tokens of SmolLM2 took 718 MB for 56 tokens, and take 4 MB of this.
"""

import math
import mmap

import numpy as np

from hornbook.core.pages import CAN_MAP, Pages


class LazyZeros:
    """array: of the shape and type that was asked for."""

    def __init__(self, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        """Raises MemoryError where there is no room in the address space."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        self.array: np.ndarray
        self._memory: mmap.mmap | None = None
        if not _GIVES_BACK:
            self.array = np.zeros(shape, dtype)
            return
        self._memory = Pages(size)
        self.array = np.frombuffer(self._memory, dtype, math.prod(shape)).reshape(shape)

    def give_back(self, first: int, last: int) -> None:
        """The memory of some values by their places in the flat array, as far as whole pages go;
        what is read there later may be anything."""
        if self._memory is None:
            return
        page, size = mmap.PAGESIZE, self.array.itemsize
        start, stop = -(-first * size // page) * page, last * size // page * page
        if stop > start:
            self._memory.madvise(_FORGET, start, stop - start)


_FORGET = getattr(mmap, "MADV_DONTNEED", 0)
_GIVES_BACK = hasattr(mmap.mmap, "madvise") and CAN_MAP
"""Not on every system: there an array is NumPy's."""
