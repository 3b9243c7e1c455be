"""Our own CPU kernels for codes, in C++: built once on the machine they run on, then loaded.

`kernels.cpp` says what they compute; here are the structures it is called with. Where there is no
compiler, or a processor without AVX-512 VNNI, `library()` is None and others compute instead.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import torch

from hornbook.core.files import atomic_file, write_text
from hornbook.core.home import home
from hornbook.core.machine import cpu_name

_FOLDER = Path(__file__).parent
_SOURCE = _FOLDER / "kernels.cpp"
# No sum may be made in another order, nor rounded once instead of twice, because of what is beside.
_OPTIONS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-fopenmp", "-ffp-contract=off")

_RUNTIMES = ("libgomp", "libiomp5", "libomp")


class Matrix(ctypes.Structure):
    """blocks: codes in the kernels' order. bias: or None. bits: 4 or 8."""

    _fields_ = (
        ("blocks", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("outputs", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("bits", ctypes.c_int32),
    )


class Layer(ctypes.Structure):
    """An attention and an MLP, each behind a norm; query_norm and key_norm may be None."""

    _fields_ = (
        ("attention_norm", ctypes.c_void_p),
        ("query_norm", ctypes.c_void_p),
        ("key_norm", ctypes.c_void_p),
        ("mlp_norm", ctypes.c_void_p),
        ("joint", Matrix),
        ("output", Matrix),
        ("gate_up", Matrix),
        ("down", Matrix),
    )


class Decoder(ctypes.Structure):
    """Sizes, and `layers` layers at `layer`."""

    _fields_ = (
        ("width", ctypes.c_int32),
        ("hidden", ctypes.c_int32),
        ("heads", ctypes.c_int32),
        ("kv_heads", ctypes.c_int32),
        ("head", ctypes.c_int32),
        ("layers", ctypes.c_int32),
        ("epsilon", ctypes.c_float),
        ("head_epsilon", ctypes.c_float),
        ("layer", ctypes.POINTER(Layer)),
        ("last_norm", ctypes.c_void_p),
    )


class Pass(ctypes.Structure):
    """Rows of a call. slot, position: int32. keys, values: half floats, a pointer a layer. Strides
    in these.
    """

    _fields_ = (
        ("rows", ctypes.c_int32),
        ("reach", ctypes.c_int32),
        ("x", ctypes.c_void_p),
        ("slot", ctypes.c_void_p),
        ("position", ctypes.c_void_p),
        ("cos", ctypes.c_void_p),
        ("sin", ctypes.c_void_p),
        ("keys", ctypes.POINTER(ctypes.c_void_p)),
        ("values", ctypes.POINTER(ctypes.c_void_p)),
        ("slot_stride", ctypes.c_int64),
        ("head_stride", ctypes.c_int64),
    )


class Library:
    """The loaded kernels; they run in as many threads as torch."""

    def __init__(self, path: Path) -> None:
        loaded = ctypes.CDLL(str(path))
        self._product, self._pass = loaded.hornbook_product, loaded.hornbook_pass

    def product(self, matrix: Matrix, x: torch.Tensor, y: torch.Tensor) -> None:
        """y (rows, outputs) becomes x (rows, inputs) times the matrix, plus its bias.

        Both float32 and contiguous.
        """
        pointers = ctypes.c_void_p(x.data_ptr()), ctypes.c_void_p(y.data_ptr())
        self._product(torch.get_num_threads(), ctypes.byref(matrix), *pointers, len(x))

    def run(self, decoder: Decoder, rows: Pass) -> None:
        """Take rows through a decoder."""
        self._pass(torch.get_num_threads(), ctypes.byref(decoder), ctypes.byref(rows))


@cache
def library() -> Library | None:
    """The kernels if they can be had now.

    Where they are not built yet, that begins in the background, for the next process to find.
    """
    path = _place()
    if path is None or _failed(path).is_file():
        return None
    if not path.is_file():
        _build_aside()
        return None
    return _opened(path)


def missing() -> str | None:
    """Why `library()` is None, in a line; None where it is there."""
    if not torch.cpu._is_vnni_supported():
        return "this processor has no AVX-512 VNNI"
    if _compiler() is None:
        return "there is no C++ compiler (g++ or clang++)"
    if _openmp() is None:
        return "torch's OpenMP runtime was not found"
    path = _place()
    if path is not None and _failed(path).is_file():
        return f"building or loading ours failed; {_failed(path)} says how"
    return None if library() else "they are being built in the background, for the next time"


def build() -> Path | None:
    """Compile the kernels unless they are there; about three seconds.

    Returns where they lie, or None where they cannot be built.
    """
    path, compiler, openmp = _place(), _compiler(), _openmp()
    if path is None or compiler is None or openmp is None:
        return None
    if not path.is_file():
        with tempfile.TemporaryDirectory() as folder:
            part, made = Path(folder) / "kernels.o", Path(folder) / path.name
            # In two steps: linked with -fopenmp, they would bring another OpenMP runtime.
            for command in (
                [compiler, *_OPTIONS, "-c", "-o", str(part), str(_SOURCE)],
                [compiler, "-shared", "-o", str(made), str(part), openmp],
            ):
                done = subprocess.run(command, capture_output=True)
                if done.returncode:
                    write_text(_failed(path), done.stderr.decode(errors="replace"))
                    return None
            with atomic_file(path) as aside:
                shutil.copyfile(made, aside)
    return path


def _build_aside() -> None:
    """Build in a process of its own, which goes on when this one ends."""
    command = [sys.executable, "-m", "hornbook.nn.native"]
    nowhere = subprocess.DEVNULL
    begun = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True)
    begun.returncode = 0  # nobody waits for it; without this Python complains that it still runs


def _failed(path: Path) -> Path:
    """Where the complaint lies, after which no other attempt is made until it is deleted."""
    return path.with_suffix(".failed.txt")


def _opened(path: Path) -> Library | None:
    try:
        return Library(path)
    except OSError as error:  # a damaged file, or a disk from which nothing may be run
        write_text(_failed(path), f"{error}\n")
        return None


def _compiler() -> str | None:
    return next(filter(None, map(shutil.which, (os.environ.get("CXX") or "g++", "clang++"))), None)


def _openmp() -> str | None:
    """The OpenMP runtime that torch has loaded; None where it cannot be found out."""
    try:
        with open("/proc/self/maps", encoding="utf-8") as lines:  # noqa: PTH123
            paths = [line.split(maxsplit=5)[-1].strip() for line in lines]
    except OSError:
        return None
    found = [path for path in paths if Path(path).name.startswith(_RUNTIMES)]
    # Other packages bring theirs: torch's lies in torch/lib or torch.libs where it brings one.
    own = str(Path(torch.__file__).parent)
    return next((path for path in found if path.startswith(own)), next(iter(found), None))


def _place() -> Path | None:
    """Where the kernels of this source lie for this processor and torch."""
    compiler, openmp = _compiler(), _openmp()
    if not torch.cpu._is_vnni_supported() or compiler is None or openmp is None:
        return None
    sources = [file.read_text(encoding="utf-8") for file in (*sorted(_FOLDER.glob("*.h")), _SOURCE)]
    what = "\0".join((*sources, *_OPTIONS, compiler, openmp, cpu_name()))
    return home() / "kernels" / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.so"
