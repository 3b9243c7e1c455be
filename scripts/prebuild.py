"""Builds the kernels for every level of a kind of machine, as wheels carry them; see `prebuilt`.

`python scripts/prebuild.py FOLDER [MACHINE]`, where CXX may name the compiler: for a machine other
than this one a cross compiler. Needs nothing but Python: `setup.py` calls it for every wheel.
"""

import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_KERNELS = Path(__file__).parents[1] / "hornbook" / "kernels"


def compiler() -> list[str] | None:
    """A C++ compiler and its arguments: CXX, g++ or clang++; None where there is none."""
    for name in filter(None, (os.environ.get("CXX"), "g++", "clang++")):
        words = shlex.split(name)
        if shutil.which(words[0]):
            return words
    return None


def levels() -> tuple:
    """Those that can be built here for this machine."""
    return _recipe().levels() if compiler() else ()


def build(folder: Path, machine: str | None = None) -> list[Path]:
    """Compile all levels of a machine (None: this one) to `folder`, with their book; some seconds
    each.

    Raises CalledProcessError where one cannot be compiled.
    """
    recipe = _recipe()
    program = compiler()
    assert program, "there is no C++ compiler (g++ or clang++)"
    made = recipe.levels(machine)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{level.name}.so" for level in made]

    def make(level, path):
        stripped = (*level.options, "-Wl,-x" if sys.platform == "darwin" else "-s")
        subprocess.run(recipe.command(program, stripped, path), check=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make, made, paths))
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    book = {"sources": recipe.sources(), "sha256": hashes}
    (folder / "libraries.json").write_text(json.dumps(book, indent=1) + "\n", encoding="utf-8")
    return paths


def _recipe():
    """`hornbook.kernels.recipe`, without the packages above it and what these import."""
    found = importlib.util.spec_from_file_location("recipe", _KERNELS / "recipe.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


if __name__ == "__main__":
    for path in build(Path(sys.argv[1]), *sys.argv[2:3]):
        print(path)
