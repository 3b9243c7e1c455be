"""What the kernels are built with on this machine, and where what comes of it lies.

Knows programs and paths; runs nothing.
"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from hornbook.core.home import home
from hornbook.core.isolation import program
from hornbook.core.machine import cpu_flags, cpu_name
from hornbook.kernels import recipe


class Tools(NamedTuple):
    """compiler: a program and its own arguments."""

    compiler: list[str]

    def command(self, made: Path) -> list[str]:
        """What makes the library, of this processor's instructions."""
        return recipe.command(self.compiler, recipe.NATIVE, made)

    def place(self) -> Path:
        """Where the kernels of this source lie for these tools and this processor."""
        command = self.command(Path())
        what = "\0".join((recipe.sources(), *command, cpu_name(), *sorted(cpu_flags())))
        return home() / "kernels" / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.so"


def tools() -> Tools | str:
    """What builds the kernels here, or in a line why nothing can."""
    if not recipe.levels():
        return "this processor is neither x86 nor ARM of 64 bits"
    if not recipe.fitting(cpu_flags()):
        return "this processor has no AVX2"
    compiler = program(os.environ.get("CXX"), "g++", "clang++")
    if compiler is None:
        return "there is no C++ compiler (g++ or clang++)"
    return Tools(compiler)
