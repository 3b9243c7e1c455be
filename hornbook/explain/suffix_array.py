"""Where bytes stand in a long text: a suffix array on disk.

The places of a text, sorted by what follows them (Manber and Myers, Suffix arrays, 1990): whatever
stands in the text, stands at the beginning of some of them, one after the other. Both files are
mapped into memory, of which a search touches a few pages.
"""

import mmap
from bisect import bisect_left, bisect_right
from pathlib import Path

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.files import save_array

_TEXT, _ORDER = "text.bin", "order.npy"


def write_suffix_array(text: bytearray, folder: Path) -> None:
    """Sort all places of `text` into two files of an existing folder; at least one byte."""
    from pydivsufsort import divsufsort

    assert text
    (folder / _TEXT).write_bytes(text)
    save_array(folder / _ORDER, divsufsort(np.frombuffer(text, np.uint8)))


class SuffixArray:
    """text: (N,) bytes, mapped. Opened with `open`."""

    def __init__(self, text: mmap.mmap, order: np.ndarray) -> None:
        self.text, self._order = text, order

    @classmethod
    def open(cls, folder: Path) -> "SuffixArray":
        """Raises HornbookError naming a file that is missing, or whose sizes don't fit."""
        try:
            with (folder / _TEXT).open("rb") as file:
                text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            order = np.load(folder / _ORDER, mmap_mode="r", allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise HornbookError(f"{folder} is damaged: {error}.") from None
        if order.shape != (len(text),):
            raise HornbookError(f"{folder / _ORDER} does not belong to the text beside it.")
        return cls(text, order)

    def longest(self, pattern: bytes) -> int:
        """How many of the first bytes of `pattern` stand somewhere in the text."""
        text, order = self.text, self._order
        at = bisect_left(order, pattern, key=lambda place: text[place : place + len(pattern)])
        # What shares most with a pattern stands next to where it would be sorted in.
        near = order[max(0, at - 1) : at + 1].tolist()
        return max(_common(text[place : place + len(pattern)], pattern) for place in near)

    def places(self, pattern: bytes) -> np.ndarray:
        """Where the pattern begins, in no order: (times,) integers."""
        text, order = self.text, self._order

        def beginning(place: int) -> bytes:
            return text[place : place + len(pattern)]

        first = bisect_left(order, pattern, key=beginning)
        found: np.ndarray = order[first : bisect_right(order, pattern, lo=first, key=beginning)]
        return found


def _common(one: bytes, other: bytes) -> int:
    """Bytes that both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
