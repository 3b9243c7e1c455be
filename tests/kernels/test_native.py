"""The kernels' threads: without a runtime of others, and where the system refuses them memory."""

import ctypes
import subprocess
import sys

import numpy as np
import pytest

from hornbook import kernels as native
from hornbook.kernels import check, openmp, pointers, quantised, structures
from hornbook.kernels.codes import Codes


@pytest.mark.usefixtures("tools")
def test_without_an_openmp_runtime_the_kernels_start_threads_of_their_own(monkeypatch):
    place = native.build()
    x, weights = np.ones((40, 64), np.float32), np.arange(32 * 64, dtype=np.uint8)
    scale = np.ones((32, 2), np.float32)
    whole = Codes(structures.FORMS[1], weights.reshape(32, 64), scale, scale)
    tiles = quantised.tiles(quantised.matrix_of(whole))
    matrix = pointers.matrix(tiles)
    expected = native.library().product(matrix, x, threads=1)
    loaded = ctypes.CDLL(str(place))
    try:
        with monkeypatch.context() as patch:
            patch.setattr(openmp, "entry", lambda: None)
            own = check.checked(loaded, threads=None)
            for threads in (1, 2, 7):
                assert np.array_equal(own.product(matrix, x, threads), expected)
    finally:
        check.checked(loaded)  # what is loaded once serves all


LIMITED = """
import resource, numpy as np
from hornbook import kernels
from hornbook.kernels import pointers, structures
from hornbook.kernels.quantised import Tiles
kernels.build()
library = kernels.library()
tiles = Tiles(np.ones((1, 512, 576), np.uint8), None, 16, 16384, structures.FORMS[1])
matrix, x = pointers.matrix(tiles), np.ones((ROWS, 16384), np.float32)
one = library.product(matrix, x[:1], threads=1)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 4 * 2**20, -1))
try:
    print(np.array_equal(library.product(matrix, x, threads=8)[-1:], one))
except MemoryError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (1, "True\n"),  # no other thread can be started, whose stack takes 8 MiB
        (900, "no memory for what the kernels compute"),
    ],
)
@pytest.mark.usefixtures("tools")
def test_what_the_system_refuses_is_an_error_or_done_otherwise(rows, said):
    code = LIMITED.replace("ROWS", str(rows))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith(said), done.stdout + done.stderr
