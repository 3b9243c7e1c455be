"""What the kernels are built with on this machine, and where what comes of it lies.

Knows programs and paths; runs nothing.
"""

import hashlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import NamedTuple

from hornbook.core.home import home
from hornbook.core.isolation import program
from hornbook.core.machine import cpu_flags, cpu_name

SOURCE = Path(__file__).with_name("kernels.cpp")
# No sum may be made in another order, nor rounded once instead of twice, because of what is beside.
OPTIONS = ("-O3", "-std=c++17", "-fPIC", "-fopenmp", "-ffp-contract=off")
PROCESSOR = "native"
"""Whose instructions they are made of."""
_NEEDED = frozenset({"avx2", "fma", "f16c"})
"""Of the processor: x86 of 2013 and later."""
_RUNTIMES = ("libgomp", "libiomp5", "libomp")


class Tools(NamedTuple):
    """compiler: a program and its own arguments. openmp: the runtime of torch, to link."""

    compiler: list[str]
    openmp: str

    def commands(self, folder: Path, made: Path) -> tuple[list[str], list[str]]:
        """What makes the library. In two steps: linked with -fopenmp, it would bring another OpenMP
        runtime along."""
        part = str(folder / "kernels.o")
        return (
            [*self.compiler, *_options(), "-c", "-o", part, str(SOURCE)],
            [*self.compiler, "-shared", "-o", str(made), part, self.openmp],
        )

    def place(self) -> Path:
        """Where the kernels of this source lie for these tools and this processor."""
        folder = SOURCE.parent
        files = *sorted(folder.glob("*.h")), SOURCE, folder / "structures.py"
        sources = [file.read_text(encoding="utf-8") for file in files]
        own = *_options(), *self.compiler, self.openmp, cpu_name(), *sorted(cpu_flags())
        what = "\0".join((*sources, *own))
        return home() / "kernels" / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.so"


def tools() -> Tools | str:
    """What builds the kernels here, or in a line why nothing can."""
    if not cpu_flags() >= _NEEDED:
        return "this processor has no AVX2"
    compiler = program(os.environ.get("CXX"), "g++", "clang++")
    if compiler is None:
        return "there is no C++ compiler (g++ or clang++)"
    openmp = _openmp()
    return Tools(compiler, openmp) if openmp else "torch's OpenMP runtime was not found"


def _options() -> tuple[str, ...]:
    return *OPTIONS, f"-march={PROCESSOR}"


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
