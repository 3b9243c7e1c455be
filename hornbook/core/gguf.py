"""The GGUF container: its keys and the places of its tensors, checked against the file's size.

A model may be in several files, NAME-00001-of-00003.gguf and so on; the first has the keys. The
library `gguf` reads headers too, but takes over twenty times as long for a vocabulary of 49,152
tokens, and fails without a reason where a file was cut short.
"""

import math
import mmap
import re
import struct
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from hornbook.core.errors import HornbookError

SUFFIX = ".gguf"
ALIGNMENT = "general.alignment"
_NUMBER, _PARTS, _TENSORS = "split.no", "split.count", "split.tensors.count"
_PART = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<parts>\d{5})\.gguf")
_VERSIONS = (2, 3)
_SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_LENGTH = struct.Struct("<Q")
_FLOAT32, _STRING, _ARRAY = 6, 8, 9
"""Types of values by their numbers in a file."""
_KEY_BYTES, _TENSOR_BYTES = 13, 32
"""The fewest of an entry."""
_AXES = 4
_COARSEST = 2**20
_LONGEST = 2**21
"""Entries of a list: eight times the largest vocabulary with its merges."""


_GIVEN_UP = {
    4: "Q4_2", 5: "Q4_3", 31: "Q4_0_4_4", 32: "Q4_0_4_8", 33: "Q4_0_8_8",
    36: "IQ4_NL_4_4", 37: "IQ4_NL_4_8", 38: "IQ4_NL_8_8",
}  # fmt: skip
"""Types of tensors that llama.cpp had; of what they begin with it has the same weights."""


class TensorPlace(NamedTuple):
    """Where a tensor lies in a file. kind: "F32", "Q4_1", ... shape: rows first."""

    kind: str
    shape: tuple[int, ...]
    start: int
    bytes: int


def is_gguf(path: Path) -> bool:
    """Whether `path` is a file that calls itself GGUF."""
    return path.suffix == SUFFIX and path.is_file()


def parts_of(path: Path) -> list[Path]:
    """The files of a model whose first one this is, by its name: itself, or all parts."""
    named = _PART.fullmatch(path.name)
    if named is None or int(named["number"]) != 1:
        return [path]
    count = int(named["parts"])
    names = [f"{named['name']}-{i:05}-of-{count:05}{SUFFIX}" for i in range(1, count + 1)]
    return [path.with_name(name) for name in names]


def is_model(name: str) -> bool:
    """Whether a file of this name is one to open: no later part, nor what reads images for one."""
    named = _PART.fullmatch(name)
    whole = named is None or int(named["number"]) == 1
    return whole and name.endswith(SUFFIX) and not name.startswith("mmproj")


def forget(mapped: mmap.mmap) -> None:
    """Give back the memory of what was read of a file; read again, it comes from there."""
    if hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)


class GGUFFile:
    """values: the metadata, strings and numbers and lists of them. tensors: places by name. files:
    the path, or those of all parts.

    float32 numbers are the shortest decimals that mean the same, so 1e-5 is 1e-05. Raises
    HornbookError naming the file when it is not GGUF, is cut short, holds a type of tensor that the
    library `gguf` does not know, or is not the first of several parts that are all there.
    """

    def __init__(self, path: Path) -> None:
        self.path, first = path, _PartFile(path)
        self.values, self.files = first.values, [path]
        self.tensors: dict[str, TensorPlace] = {}
        self._mapped: dict[str, mmap.mmap] = {}
        if (count := self.values.get(_PARTS, 1)) not in (0, 1):
            self.files = self._named(count)
        for number, file in enumerate(self.files):
            part = _PartFile(file) if number else first
            if part.values.get(_NUMBER, 0) != number or part.values.get(_PARTS, 1) != count:
                raise HornbookError(f"{file} is not part {number + 1} of {count} of {path}.")
            if twice := self.tensors.keys() & part.tensors.keys():
                raise HornbookError(f"{file} has the tensor {min(twice)!r}, as a part before it.")
            self.tensors |= part.tensors
            self._mapped |= dict.fromkeys(part.tensors, part.mapped)
        if (said := self.values.get(_TENSORS, len(self.tensors))) != len(self.tensors):
            found = len(self.tensors)
            raise HornbookError(f"{path} says that its parts have {said} tensors, not {found}.")

    def _named(self, count: Any) -> list[Path]:
        """All parts, beside the first one."""
        if (number := self.values.get(_NUMBER, 0)) != 0:
            raise HornbookError(
                f"{self.path} is part {number + 1} of {count} of a model. Name the first one."
            )
        files = parts_of(self.path)
        if len(files) != count:
            raise HornbookError(
                f"{self.path} is one of {count} parts of a model, which are found by their names: "
                f"this one is to end with -00001-of-{count:05}{SUFFIX}."
            )
        if gone := next((file for file in files if not file.is_file()), None):
            raise HornbookError(
                f"{self.path} is one of {count} parts of a model, and {gone.name} is not beside "
                "it. Copy or download it, too."
            )
        return files

    def mapped(self, name: str) -> mmap.mmap:
        """The whole file in which a tensor lies."""
        return self._mapped[name]

    def read(self, name: str) -> np.ndarray:
        """The bytes of a tensor as they are stored, one row below the other, (..., bytes) uint8."""
        place = self.tensors[name]
        stored = np.frombuffer(self.mapped(name), np.uint8, place.bytes, place.start)
        return stored.reshape(*place.shape[:-1], -1)

    def forget(self, name: str) -> None:
        """As the function of this name, of the file in which a tensor lies."""
        forget(self.mapped(name))


def value_of(path: Path, key: str) -> Any:
    """What a file says of one key, None where it does not; read no further than to it, which for
    keys at the beginning is much sooner."""
    return _PartFile(path, until=key).values.get(key)


class _PartFile:
    """One file: values, tensors and the whole of it, mapped. until: the last key that is read, and
    no tensors then."""

    def __init__(self, path: Path, until: str | None = None) -> None:
        self.path = path
        with path.open("rb") as stream:
            self._size = path.stat().st_size
            if self._size < 24 or stream.read(4) != b"GGUF":
                raise HornbookError(f"{path} is not a GGUF file: it does not begin like one.")
            self.mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self._at = 4
        version = self._number("I")
        if version and version % 2**16 == 0:
            self._refuse("is big-endian; the same model is offered little-endian as well.")
        if version not in _VERSIONS:
            self._refuse(f"has version {version}; only 2 and 3 can be opened.")
        tensors = self._count(_TENSOR_BYTES)
        self.values: dict[str, Any] = {}
        for _ in range(self._count(_KEY_BYTES)):
            key = self._string()
            if key in self.values:
                self._refuse(f"has the key {key!r} twice.")
            self.values[key] = self._value(self._number("I"))
            if key == until:
                return
        self.tensors = self._places(tensors)
        self._check_apart()

    def _places(self, count: int) -> dict[str, TensorPlace]:
        """Read the table of tensors; what it says must fit into the file."""
        found = {}
        for _ in range(count):
            name, axes = self._string(), self._number("I")
            if name in found or not 1 <= axes <= _AXES:
                self._refuse(f"has the tensor {name!r} twice, or with {axes:,} axes.")
            shape = tuple(self._number("Q") for _ in range(axes))[::-1]
            found[name] = (self._number("I"), shape, self._number("Q"))
        alignment = self.values.get(ALIGNMENT, 32)
        if type(alignment) is not int or not 1 <= alignment <= _COARSEST:
            self._refuse(f"says {ALIGNMENT} = {alignment!r}.")
        begin = -(-self._at // alignment) * alignment
        return {
            name: self._place(name, kind, shape, begin + offset)
            for name, (kind, shape, offset) in found.items()
        }

    def _place(self, name: str, number: int, shape: tuple[int, ...], start: int) -> TensorPlace:
        import gguf

        try:
            kind = gguf.GGMLQuantizationType(number)
        except ValueError:
            self._refuse(f"stores {name} as {_unknown(number)}.")
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        if min(shape) < 1 or shape[-1] % block:
            self._refuse(f"gives {name} the shape {shape}, which {kind.name} cannot store.")
        size = math.prod(shape) // block * block_bytes
        if start + size > self._size:
            self._refuse(
                f"is cut short: {name} would end at byte {start + size:,}, but the file has "
                f"{self._size:,}. Copy or download it again."
            )
        return TensorPlace(kind.name, shape, start, size)

    def _check_apart(self) -> None:
        """No byte is part of two tensors."""
        end, before = 0, ""
        for name, place in sorted(self.tensors.items(), key=lambda item: item[1].start):
            if place.start < end:
                self._refuse(f"stores {name!r} where {before!r} lies.")
            end, before = place.start + place.bytes, name

    def _count(self, least_bytes: int) -> int:
        """How many there are, each of at least so many bytes."""
        count: int = self._number("Q")
        if count * least_bytes > self._size:
            self._cut_short()
        return count

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(self._number("I"), self._number("Q"))
        if kind not in _SCALARS:
            self._refuse(f"holds a value of type {kind} at byte {self._at:,}, which is not known.")
        value = self._number(_SCALARS[kind])
        return float(str(np.float32(value))) if kind == _FLOAT32 else value

    def _array(self, kind: int, count: int) -> list[Any]:
        if count > _LONGEST:
            self._refuse(f"says that a list has {count:,} entries; {_LONGEST:,} are the most.")
        if kind == _STRING:
            return self._strings(count)
        if kind not in _SCALARS:
            self._refuse(f"holds a list of type {kind} at byte {self._at:,}, which is not known.")
        form = _SCALARS[kind]
        size = struct.calcsize(form)
        if count * size > self._size - self._at:
            self._cut_short()
        values = np.frombuffer(self.mapped, f"<{form}", count, self._at)
        self._at += count * size
        return list(values.tolist())

    def _string(self) -> str:
        return self._strings(1)[0]

    def _strings(self, count: int) -> list[str]:
        """One after the other; vocabularies hold a hundred thousand, so in one loop of its own."""
        found, at, stored = list[str](), self._at, self.mapped
        try:
            for _ in range(count):
                start = at + 8
                at = start + _LENGTH.unpack_from(stored, at)[0]
                if at > self._size:
                    self._cut_short()
                found.append(stored[start:at].decode("utf-8"))
        except struct.error:
            self._cut_short()
        except UnicodeDecodeError:
            self._refuse(f"holds text at byte {start:,} that is not UTF-8.")
        self._at = at
        return found

    def _number(self, form: str) -> Any:
        try:
            (value,) = struct.unpack_from(f"<{form}", self.mapped, self._at)
        except struct.error:
            self._cut_short()
        self._at += struct.calcsize(form)
        return value

    def _cut_short(self) -> NoReturn:
        self._refuse(
            f"is cut short: its header goes on after {self._size:,} bytes. "
            "Copy or download it again."
        )

    def _refuse(self, what: str) -> NoReturn:
        raise HornbookError(f"{self.path} {what}")


def _unknown(number: int) -> str:
    """What a type of tensor is that is not known, and what to ask for."""
    if old := _GIVEN_UP.get(number):
        kept = "_".join(old.split("_")[:2])
        kept = {"Q4_2": "Q4_0", "Q4_3": "Q4_1"}.get(kept, kept)
        return f"{old}, which llama.cpp has given up. Ask for the same model as {kept}"
    return (
        f"type {number}, which is not known here. Ask for the same model as F16, Q8_0, Q4_K or "
        "the like"
    )
