"""Memory taken from the system itself, page by page: for what NumPy's own would cost more.

`in_huge_pages` is for what is read as a whole again and again.
"""

import contextlib
import math
import mmap
import threading
import weakref

import numpy as np

CAN_MAP = hasattr(mmap, "MAP_PRIVATE") and hasattr(mmap, "MAP_ANONYMOUS")
"""Not on every system: there an array is NumPy's."""
_PRIVATE = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
_HUGE: int | None = getattr(mmap, "MADV_HUGEPAGE", None)
_CHUNK, _ALIGNED = 32 * 2**20, 64
_SMALL = 64 * 2**10
"""Bytes. What is smaller stays NumPy's: who reads beside it is found by a sanitizer."""
_LOCK = threading.Lock()


class Pages(mmap.mmap):
    """A mapping that nobody else sees, of so many bytes or one, whose pages are taken when they are
    first written to. Raises MemoryError where there is no room in the address space.

    used: bytes that were given out.
    """

    used = 0

    def __new__(cls, size: int) -> "Pages":
        try:
            return super().__new__(cls, -1, max(size, 1), flags=_PRIVATE)
        except (OSError, OverflowError, ValueError):
            raise MemoryError(f"{size:,} bytes") from None


def in_huge_pages(shape: tuple[int, ...]) -> np.ndarray:
    """An array of bytes, whatever they are, in pages of megabytes where the system has some.

    Matrices are smaller than those: they lie side by side in a mapping that goes when the last of
    them does. With pages of four kilobytes, layers of a token take a tenth to a sixth more time
    (docs/log.md). Raises MemoryError.
    """
    size = math.prod(shape)
    if size < _SMALL or _HUGE is None or not CAN_MAP:
        return np.empty(shape, np.uint8)
    with _LOCK:
        chunk = _last() if _last else None
        start = -(-chunk.used // _ALIGNED) * _ALIGNED if chunk else 0
        if chunk is None or start + size > len(chunk):
            chunk, start = _new_chunk(size, _HUGE), 0
        chunk.used = start + size
    return np.frombuffer(chunk, np.uint8, size, start).reshape(shape)


_last: "weakref.ref[Pages] | None" = None


def _new_chunk(size: int, advice: int) -> Pages:
    global _last
    found = Pages(max(size, _CHUNK))
    with contextlib.suppress(OSError):  # a system without
        found.madvise(advice)
    _last = weakref.ref(found)
    return found
