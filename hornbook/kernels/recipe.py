"""What the kernels are made of and how they are compiled, for this processor or for several.

Imports nothing of ours, so that whoever builds a wheel needs none of Hornbook's libraries.
"""

import hashlib
import platform
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("kernels.cpp")
# No sum may be made in another order, nor rounded once instead of twice, because of what is beside.
OPTIONS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-pthread", "-ffp-contract=off")
_X86, _ARM = "x86_64", "aarch64"
_SAME = {"amd64": _X86, "arm64": _ARM}


class Level(NamedTuple):
    """Processors that kernels are prebuilt for. needs: what such a processor says that it can, in
    Linux's words."""

    name: str
    needs: frozenset[str]
    options: tuple[str, ...]


def _x86(name: str, more: dict[str, str]) -> Level:
    instructions = {"avx2": "avx2", "fma": "fma", "f16c": "f16c"} | more
    options = tuple(f"-m{option}" for option in instructions.values())
    return Level(f"{_X86}-{name}", frozenset(instructions), options)


def _arm(name: str, architecture: str, *needs: str) -> Level:
    return Level(f"{_ARM}-{name}", frozenset(("asimd", *needs)), (f"-march={architecture}",))


_AVX512 = {f"avx512{part}": f"avx512{part}" for part in ("f", "bw", "vl", "dq")}
_VNNI = _AVX512 | {"avx512_vnni": "avx512vnni"}
_BFLOATS = {"avx512_bf16": "avx512bf16"}
_LEVELS = {
    _X86: (
        _x86("amx", _VNNI | _BFLOATS | {f"amx_{n}": f"amx-{n}" for n in ("tile", "int8", "bf16")}),
        _x86("avx512bf16", _VNNI | _BFLOATS),
        _x86("avx512vnni", _VNNI),
        _x86("avxvnni", {"avx_vnni": "avxvnni"}),
        _x86("avx512", _AVX512),
        _x86("avx2", {}),
    ),
    _ARM: (
        _arm("i8mm", "armv8.2-a+dotprod+i8mm", "asimddp", "i8mm"),
        _arm("dotprod", "armv8.2-a+dotprod", "asimddp"),
        _arm("neon", "armv8-a"),
    ),
}


def levels(machine: str | None = None) -> tuple[Level, ...]:
    """Those of a kind of machine (None: this one), the fastest first; none where it is neither x86
    nor ARM of 64 bits."""
    return _LEVELS.get(_kind(machine), ())


def fitting(flags: Collection[str]) -> list[Level]:
    """Those that a processor of this machine runs which says that it can `flags`."""
    return [level for level in levels() if level.needs.issubset(flags)]


def command(compiler: Iterable[str], options: Iterable[str], made: Path) -> list[str]:
    """What compiles the kernels to a library at `made`."""
    return [*compiler, *OPTIONS, *options, "-o", str(made), str(SOURCE)]


def sources() -> str:
    """The hash of all that the kernels are made of, and of the structures they are called with."""
    files = *sorted(SOURCE.parent.glob("*.h")), SOURCE, SOURCE.with_name("structures.py")
    whole = "\0".join(file.read_text(encoding="utf-8") for file in files)
    return hashlib.sha256(whole.encode()).hexdigest()


def _kind(machine: str | None) -> str:
    name = (machine or platform.machine()).lower()
    return _SAME.get(name, name)


NATIVE: tuple[str, ...] = ("-mcpu=native",) if _kind(None) == _ARM else ("-march=native",)
"""The options for this very processor."""
