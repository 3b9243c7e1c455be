"""Our own CPU kernels for codes, in C++: built once on the machine they run on, then loaded.

`kernels.cpp` says what they compute. Where there is no compiler, or a processor without AVX2,
`library()` is None and others compute instead. Imports no torch: whoever generates with these
kernels does without.
"""

import ctypes
import hashlib
import importlib.util
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from hornbook.core.files import write_text
from hornbook.core.home import home
from hornbook.core.isolation import program, python, run, start_aside
from hornbook.core.machine import cpu_name, has_avx2
from hornbook.core.threads import threads
from hornbook.kernels import store, structures

_FOLDER = Path(__file__).parent
_SOURCE = _FOLDER / "kernels.cpp"
# No sum may be made in another order, nor rounded once instead of twice, because of what is beside.
_OPTIONS = ("-O3", "-std=c++17", "-fPIC", "-fopenmp", "-ffp-contract=off")
PROCESSOR = "native"
"""Whose instructions they are made of."""

_RUNTIMES = ("libgomp", "libiomp5", "libomp")


class Library:
    """The loaded kernels."""

    def __init__(self, path: Path) -> None:
        loaded = store.load(path)
        self._product, self._pass = loaded.hornbook_product, loaded.hornbook_pass

    def product(self, matrix: structures.Matrix, x: int, y: int, rows: int) -> None:
        """y (rows, outputs) becomes x (rows, inputs) times the matrix, plus its bias.

        x, y: addresses of contiguous float32.
        """
        pointers = ctypes.c_void_p(x), ctypes.c_void_p(y)
        self._product(_threads(), ctypes.byref(matrix), *pointers, rows)

    def run(self, decoder: structures.Decoder, rows: structures.Pass) -> None:
        """Take rows through a decoder."""
        self._pass(_threads(), ctypes.byref(decoder), ctypes.byref(rows))


def _threads() -> int:
    """Where torch is loaded, as many as it was told to take: they are its threads."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else threads()


@cache
def library() -> Library | None:
    """The kernels if they can be had now.

    Where they are not built yet, that begins in the background, for the next process to find.
    """
    path = _place()
    if path is None or not store.is_own(path.parent) or _failed(path).is_file():
        return None
    if not store.is_whole(path):
        _build_aside()
        return None
    return _opened(path)


def missing() -> str | None:
    """Why `library()` is None, in a line; None where it is there."""
    if not has_avx2():
        return "this processor has no AVX2"
    if _compiler() is None:
        return "there is no C++ compiler (g++ or clang++)"
    if _openmp() is None:
        return "torch's OpenMP runtime was not found"
    path = _place()
    if path is not None and not store.is_own(path.parent):
        return f"{path.parent} is another user's folder"
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
    if not store.is_own(path.parent):
        return None
    if not store.is_whole(path):
        with tempfile.TemporaryDirectory() as folder:
            part, made = Path(folder) / "kernels.o", Path(folder) / path.name
            # In two steps: linked with -fopenmp, they would bring another OpenMP runtime.
            for command in (
                [*compiler, *_options(), "-c", "-o", str(part), str(_SOURCE)],
                [*compiler, "-shared", "-o", str(made), str(part), openmp],
            ):
                done = run(command, Path(folder))
                if done.returncode:
                    write_text(_failed(path), done.stderr)
                    return None
            store.keep(made, path)
    return path


def _build_aside() -> None:
    """Build in a process of its own, which goes on when this one ends."""
    start_aside(python("hornbook.kernels"), {"HORNBOOK_HOME": str(home().absolute())})


def _failed(path: Path) -> Path:
    """Where the complaint lies, after which no other attempt is made until it is deleted."""
    return path.with_suffix(".failed.txt")


def _opened(path: Path) -> Library | None:
    try:
        library = Library(path)
    except OSError as error:  # a damaged file, or a disk from which nothing may be run
        write_text(_failed(path), f"{error}\n")
        return None
    if not _is_right(library):
        write_text(_failed(path), "the kernels compute something else than they should\n")
        return None
    return library


def _is_right(library: Library) -> bool:
    """Whether a small product is what it should be."""
    from hornbook.kernels.codes import codes_of, matrix_of, tiles
    from hornbook.kernels.pointers import GROUP

    single = np.arange(16 * GROUP, dtype=np.uint8).reshape(16, GROUP) % 15
    scale, least = np.full((16, 1), 0.5, np.float32), np.full((16, 1), -2, np.float32)
    codes = codes_of(single, scale, least, bits=4)
    x, y = np.linspace(-1, 1, GROUP, dtype=np.float32), np.empty(16, np.float32)
    matrix = tiles(matrix_of(codes))
    library.product(matrix.structure(), x.ctypes.data, y.ctypes.data, 1)
    return bool(np.allclose(y, codes.floats() @ x, atol=0.01))


def _options() -> tuple[str, ...]:
    return *_OPTIONS, f"-march={PROCESSOR}"


def _compiler() -> list[str] | None:
    return program(os.environ.get("CXX"), "g++", "clang++")


def _openmp() -> str | None:
    """The OpenMP runtime of torch, loaded or not; None where it cannot be found out."""
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    for place in (folder / "lib", folder.parent / "torch.libs"):
        if names := sorted(str(path) for path in place.glob("lib*") if _is_runtime(path)):
            return names[0]
    if "torch" not in sys.modules:  # one that it finds elsewhere is known once it is loaded
        return None
    try:
        with open("/proc/self/maps", encoding="utf-8") as lines:  # noqa: PTH123
            paths = [line.split(maxsplit=5)[-1].strip() for line in lines]
    except OSError:
        return None
    return next((path for path in paths if _is_runtime(Path(path))), None)


def _is_runtime(path: Path) -> bool:
    return path.name.startswith(_RUNTIMES)


def _place() -> Path | None:
    """Where the kernels of this source lie for this processor and torch."""
    compiler, openmp = _compiler(), _openmp()
    if not has_avx2() or compiler is None or openmp is None:
        return None
    sources = [file.read_text(encoding="utf-8") for file in (*sorted(_FOLDER.glob("*.h")), _SOURCE)]
    what = "\0".join((*sources, *_options(), *compiler, openmp, cpu_name()))
    return home() / "kernels" / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.so"
