"""Whose threads the kernels take: those of torch's OpenMP runtime, loaded or not.

Two pools of threads would wait for each other's processors. Without torch, the kernels start
threads of their own. Imports no torch.
"""

import ctypes
import importlib.util
import sys
from pathlib import Path

_RUNTIMES = ("libgomp", "libiomp5", "libomp")
_ENTRY = "GOMP_parallel"
"""How a runtime is told to run a function in so many threads; those of LLVM and Intel know it."""


def entry() -> int | None:
    """The address of what starts its threads; None where there is no runtime."""
    path = _runtime()
    if path is None:
        return None
    try:
        return ctypes.cast(getattr(ctypes.CDLL(path), _ENTRY), ctypes.c_void_p).value
    except (OSError, AttributeError):
        return None


def _runtime() -> str | None:
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
