"""The kernels' own tests with sanitizers: for addresses, undefined behaviour and races of threads.

`make test-sanitize`.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.sanitized import KINDS

RUNTIMES = {
    "address,undefined": ("libasan.so", "libubsan.so"),
    "thread": ("libtsan.so",),
}
ROOT = Path(__file__).parents[2]
_OF_TRAINING = "attend", "loss", "norm", "muon", "recurrence"
_DECODER = "tests/generate/test_native_decoder.py"
TESTS = {
    "address,undefined": (
        "tests/kernels/test_native.py",
        "tests/kernels/test_delta_kernel.py",
        *(f"tests/kernels/test_{of}_kernel.py" for of in _OF_TRAINING),
        _DECODER,
        "tests/models/test_gguf_decoder.py",
    ),
    "thread": (_DECODER, "tests/kernels/test_recurrence_kernel.py"),
}
# Each makes the kernels do what `pointers` would refuse, or does it twice at once.
FAULTS = {
    "reads behind a matrix": ("blocks = blocks[:-1].copy()", "AddressSanitizer"),
    "reads behind inputs": ("x = x[:-1].copy()", "AddressSanitizer"),
    "writes behind a result": ("y = y[:-1].copy()", "AddressSanitizer"),
    "reads across floats": ("bias += 1", "misaligned address"),
    "two write at once": ("twice = True", "ThreadSanitizer: data race"),
}
FAULT = """
import threading, numpy as np
from hornbook import kernels as native
from hornbook.kernels import structures

def test_it():
    blocks, floats = np.zeros((64, 4, 320), np.uint8), np.zeros(1025, np.float32)
    x, y, bias = np.ones(128, np.float32), np.empty(1024, np.float32), floats.ctypes.data
    twice = False
    {change}
    matrix = structures.MatrixStruct(blocks.ctypes.data, bias, 1024, 128, 0)
    product, asked = native.library()._product, (2, matrix, x.ctypes.data, y.ctypes.data, 1)
    # Of once, one may end before the other begins.
    often = lambda: [product(*asked) for _ in range(100)]
    both = [threading.Thread(target=often) for _ in range(1 + twice)]
    for each in both: each.start()
    for each in both: each.join()
"""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    """Runs tests with sanitizers; returns the exit code and what was said."""
    compiler = shutil.which("g++")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("the sanitizers are those of g++ on Linux")
    home, torch = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("torch") / "races"
    torch.write_text("race:libtorch\n")  # its threads are those of its own runtime
    common = {
        "CXX": compiler,
        "HORNBOOK_HOME": str(home),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps much until it ends
        "TSAN_OPTIONS": f"halt_on_error=1 suppressions={torch}",
        "PYTHONMALLOC": "malloc",
        "OMP_NUM_THREADS": "2",
    }

    def run(kinds, *tests):
        runtimes = ":".join(_runtime(compiler, name) for name in RUNTIMES[kinds])
        command = [sys.executable, "-m", "pytest", "-p", "tests.kernels.sanitized", "-xs", *tests]
        more = {**common, KINDS: kinds, "LD_PRELOAD": runtimes}
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    return run


def _runtime(compiler, name):
    asked = [compiler, f"-print-file-name={name}"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(found).is_absolute():  # a name that it has no file for comes back as it is
        pytest.skip(f"g++ has no {name}")
    return found


@pytest.mark.sanitize
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_would_be_noticed(name, sanitized, tmp_path):
    change, said = FAULTS[name]
    (tmp_path / "test_fault.py").write_text(FAULT.format(change=change))
    kinds = "thread" if "Thread" in said else "address,undefined"
    code, output = sanitized(kinds, tmp_path / "test_fault.py", "-c", ROOT / "pyproject.toml")
    assert code != 0 and said in output, output[-3000:]


@pytest.mark.sanitize
@pytest.mark.parametrize("kinds", TESTS)
def test_the_kernels_are_without_fault(kinds, sanitized):
    code, output = sanitized(kinds, *TESTS[kinds], "-m", "", "-rs")
    assert code == 0, output[-6000:]
    print(output[-500:])
