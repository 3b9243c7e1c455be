"""Memory is taken as it is used, and given back."""

import mmap
import sys
from pathlib import Path

import numpy as np
import pytest

from hornbook.generate import lazy_memory
from hornbook.generate.lazy_memory import LazyZeros

PAGE = mmap.PAGESIZE
linux = pytest.mark.skipif(sys.platform != "linux", reason="counts pages as Linux does")


def resident():
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@linux
def test_a_few_values_take_a_few_pages():
    before = resident()
    made = LazyZeros((64, 2**20), np.float16)
    assert not made.array[:, :10].any()
    made.array[:, :10] = 1
    assert resident() - before < 2**22  # all of it is 128 MiB
    made.array[5] = 3
    full = resident()
    made.give_back(5 * 2**20, 6 * 2**20)
    assert full - resident() > 2**20
    assert (made.array[4, :10] == 1).all() and (made.array[6, :10] == 1).all()


def test_only_whole_pages_are_given_back():
    made = LazyZeros((4 * PAGE,), np.uint8)
    made.array[:] = 7
    made.give_back(PAGE - 1, 3 * PAGE + 1)
    assert (made.array[:PAGE] == 7).all() and (made.array[3 * PAGE :] == 7).all()
    made.give_back(5, 9)
    assert (made.array[:PAGE] == 7).all()


def test_what_no_machine_has_is_no_memory(monkeypatch):
    with pytest.raises(MemoryError):
        LazyZeros((2**40, 2**20), np.float16)
    monkeypatch.setattr(lazy_memory, "_GIVES_BACK", False)
    made = LazyZeros((3, 4), np.float16)
    made.give_back(0, 12)
    assert made.array.shape == (3, 4) and not made.array.any()
