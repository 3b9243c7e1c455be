"""The kernels' own tests with sanitizers: no access outside an array, no undefined behaviour.

`make test-sanitize`. Threads are left out: the OpenMP runtime of torch is built without that
sanitizer, which so takes every beginning and end of a parallel region for a race.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nn.sanitized import KINDS

RUNTIMES = {"address": "libasan.so", "undefined": "libubsan.so"}
ROOT = Path(__file__).parents[2]
TESTS = (
    "tests/nn/test_native.py", "tests/generate/test_native_decoder.py",
    "tests/models/test_gguf_decoder.py",
)  # fmt: skip
# Each makes the kernels do what `pointers` would refuse.
FAULTS = {
    "reads behind a matrix": ("blocks = blocks[:-1].copy()", "AddressSanitizer"),
    "reads behind inputs": ("x = x[:-1].copy()", "AddressSanitizer"),
    "writes behind a result": ("y = y[:-1].copy()", "AddressSanitizer"),
    "reads across floats": ("bias += 1", "misaligned address"),
}
FAULT = """
import numpy as np
from hornbook.nn import native
from hornbook.nn.native import structures

def test_it():
    blocks, floats = np.zeros((64, 4, 320), np.uint8), np.zeros(1025, np.float32)
    x, y, bias = np.ones(128, np.float32), np.empty(1024, np.float32), floats.ctypes.data
    {change}
    matrix = structures.Matrix(blocks.ctypes.data, bias, 1024, 128, 4)
    native.library().product(matrix, x.ctypes.data, y.ctypes.data, 1)
"""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """Runs tests with sanitizers; returns the exit code and what was said."""
    compiler = shutil.which("g++")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("the sanitizers are those of g++ on Linux")
    runtimes = []
    for name in RUNTIMES.values():
        asked = [compiler, f"-print-file-name={name}"]
        found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        if not Path(found).is_absolute():  # a name that it has no file for comes back as it is
            pytest.skip(f"g++ has no {name}")
        runtimes.append(found)
    more = {
        "CXX": compiler,
        "HORNBOOK_HOME": str(tmp_path_factory.mktemp("home")),
        KINDS: ",".join(RUNTIMES),
        "LD_PRELOAD": ":".join(runtimes),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps much until it ends
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "OMP_NUM_THREADS": "2",
    }

    def run(*tests):
        command = [sys.executable, "-m", "pytest", "-p", "tests.nn.sanitized", "-xs", *tests]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.sanitize
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_would_be_noticed(name, sanitized, tmp_path):
    change, said = FAULTS[name]
    (tmp_path / "test_fault.py").write_text(FAULT.format(change=change))
    code, output = sanitized(tmp_path / "test_fault.py", "-c", ROOT / "pyproject.toml")
    assert code != 0 and said in output, output[-3000:]


@pytest.mark.sanitize
def test_the_kernels_stay_inside_their_arrays(sanitized):
    code, output = sanitized(*TESTS, "-rs")
    assert code == 0, output[-6000:]
    print(output[-500:])
