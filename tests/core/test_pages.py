"""Arrays that lie side by side in mappings of their own."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest

from hornbook.core import pages
from hornbook.core.pages import Pages, in_huge_pages

MiB = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at mappings as Linux lists them")


def mapped():
    """Bytes of address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * 4096


def test_arrays_lie_beside_each_other_and_none_in_another():
    made = [in_huge_pages((rows, 1000)) for rows in (100, 50_000, 101, 1, 33)]
    for number, array in enumerate(made):
        assert array.dtype == np.uint8 and array.flags.c_contiguous and array.flags.writeable
        array[:] = number
    assert all((array == number).all() for number, array in enumerate(made))


@linux
def test_a_mapping_goes_with_the_last_of_its_arrays():
    first, before = in_huge_pages((40 * MiB,)), mapped()
    second, third = in_huge_pages((20 * MiB,)), in_huge_pages((10 * MiB,))
    assert mapped() - before < 40 * MiB  # both in one
    del second
    gc.collect()
    third[:] = 1
    assert mapped() - before > 20 * MiB and third.all()
    del third, first
    gc.collect()
    assert mapped() < before


def test_what_is_small_and_what_a_system_has_not_is_numpys(monkeypatch):
    assert in_huge_pages((3, 5)).base is None
    monkeypatch.setattr(pages, "_HUGE", None)
    assert in_huge_pages((MiB,)).base is None


def test_what_no_machine_has_is_no_memory():
    with pytest.raises(MemoryError):
        Pages(2**62)
    with pytest.raises(MemoryError):
        in_huge_pages((2**40, 2**20))
