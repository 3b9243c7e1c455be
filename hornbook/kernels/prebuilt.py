"""Kernels that came with the package, built for several processors, so that no compiler is needed.

They are trusted as the package's other files are: whoever can write one can write all. A book
beside them has the hash of each, so that a damaged one is not loaded, and that of the sources
they were built of, so that those of another state of the sources are not either.
"""

import ctypes
import hashlib
import json
from pathlib import Path
from typing import Any

from hornbook.core.machine import cpu_flags
from hornbook.kernels import recipe

FOLDER = Path(__file__).with_name("prebuilt")
BOOK = "libraries.json"


def paths() -> list[Path]:
    """The libraries that this processor runs, the fastest first; none where none came along."""
    book = _book()
    if book.get("sources") != recipe.sources():
        return []
    names = [f"{level.name}.so" for level in recipe.fitting(cpu_flags())]
    return [FOLDER / name for name in names if name in book["sha256"]]


def load(path: Path) -> ctypes.CDLL:
    """One of these. Raises OSError where it is damaged, or cannot be loaded."""
    if hashlib.sha256(path.read_bytes()).hexdigest() != _book()["sha256"][path.name]:
        raise OSError(f"{path} is damaged")
    return ctypes.CDLL(str(path))


def _book() -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((FOLDER / BOOK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found
