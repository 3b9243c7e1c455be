"""Gzip and Zstandard: a packed file read as the stream that was packed."""

import contextlib
import gzip
import importlib
import io
import zlib
from array import array
from bisect import bisect_right
from typing import Any, BinaryIO, cast

PACKINGS = {".gz": "gzip", ".zst": "zst"}
"""Suffixes that say how a file is packed, and what the packing is called in a rejection."""

_MAGIC = {"gzip": b"\x1f\x8b\x08", "zst": b"\x28\xb5\x2f\xfd"}
_DICTIONARY = b"\x5d\x2a\x4d\x18"
"""Of the skippable frame that may open a .warc.zst (IIPC, WARC compression with Zstandard)."""
_LARGEST_DICTIONARY = 16 * 2**20
_BLOCK, _TRIAL = 2**16, 2**18

MOST_TIMES, AT_LEAST = 300, 2**23
"""What unpacks to more than so many times its bytes, and more than so many, is a bomb: text is
packed to a tenth, rows that are all alike to a hundredth."""


class BrokenPacking(OSError):
    """What was packed cannot be had from here on. reason: short and countable."""

    def __init__(self, packing: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = f"broken {packing}"


class PackedBomb(BrokenPacking):
    """It unpacks to far more than a text does."""

    def __init__(self, packed: int, unpacked: int) -> None:
        super().__init__("", f"{packed:,} bytes unpack to more than {unpacked:,}")
        self.reason = "unpacks to too much"


def _check(packed: int, unpacked: int) -> None:
    if unpacked > AT_LEAST and unpacked > MOST_TIMES * packed:
        raise PackedBomb(packed, unpacked)


class _Gzip(io.RawIOBase):
    """A gzip file, all members as one stream, that is no bomb."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._file = raw, gzip.GzipFile(fileobj=raw)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(position, whence)

    def readinto(self, buffer: Any) -> int:
        # As much as comes at once: a call for more loses what comes before a break.
        data = self._file.read1(len(buffer))
        buffer[: len(data)] = data
        _check(self._raw.tell(), self._file.tell())
        return len(data)


def unpack(raw: BinaryIO, suffix: str) -> BinaryIO:
    """The stream inside a file with this suffix; the file itself when that is no packing's."""
    if suffix == ".gz":
        return cast(BinaryIO, io.BufferedReader(_Gzip(raw), 2**18))
    return cast(BinaryIO, io.BufferedReader(Members(raw, "zst"))) if suffix == ".zst" else raw


def packing_of(start: bytes) -> str | None:
    """gzip, zst or None, by a file's first bytes."""
    if start.startswith(_DICTIONARY):
        return "zst"
    return next((name for name, magic in _MAGIC.items() if start.startswith(magic)), None)


def packing_within(data: bytes) -> str | None:
    """gzip, zst or None, by the first member that seems to begin anywhere in the data."""
    places = {name: data.find(magic) for name, magic in _MAGIC.items() if magic in data}
    return min(places, key=places.__getitem__) if places else None


class _GzipMember:
    """A gzip member's decompressor with the interface of Zstandard's."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, most)

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data


class Members(io.RawIOBase):
    """The members of a packed file as one seekable stream that can go on behind a broken one.

    Reading raises BrokenPacking where the file is broken, again and again until `resume`.
    """

    def __init__(self, raw: BinaryIO, packing: str) -> None:
        self._raw, self._packing = raw, packing
        self._unpacker: Any = None
        self._left = b""  # packed bytes that were read and not yet used
        self._at = 0  # of what was unpacked
        self._unpacked, self._packed = array("q"), array("q")  # where each member starts
        self._broken: BrokenPacking | None = None
        self._dictionary: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._broken:
            raise self._broken
        try:
            data = self._unpack(len(buffer))
            _check(self._raw.tell(), self._at + len(data))
        except PackedBomb as bomb:
            self._broken = bomb
            raise
        except (EOFError, self._error()) as error:
            self._broken = BrokenPacking(self._packing, f"{error}; what follows is lost")
            raise self._broken from None
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """To a place in what was unpacked, from the start of its member on."""
        if whence == io.SEEK_END:
            while self.read(_BLOCK):
                pass
        position += 0 if whence == io.SEEK_SET else self._at
        member = bisect_right(self._unpacked, position) - 1
        if position < self._at or self._broken:
            start = (self._unpacked[member], self._packed[member]) if member >= 0 else (0, 0)
            self._at = start[0]
            del self._unpacked[max(member, 0) :], self._packed[max(member, 0) :]
            self._go_to(start[1])
        while self._at < position:
            if not self.read(min(position - self._at, _BLOCK)):
                break
        return self._at

    def resume(self, prefix: bytes) -> int | None:
        """Go to the next member that unpacks to `prefix`: the packed bytes passed over, or None."""
        broken = self._packed[-1] if self._packed else 0
        place = broken + 1
        while True:
            self._raw.seek(place)
            data = self._raw.read(_TRIAL)
            found = data.find(_MAGIC[self._packing])
            if found < 0:
                if len(data) < _TRIAL:
                    return None
                place += _TRIAL - len(_MAGIC[self._packing])
                continue
            place += found
            if self._starts_with(prefix, place):
                self._go_to(place)
                return place - broken
            place += 1

    def _go_to(self, place: int) -> None:
        self._raw.seek(place)
        self._unpacker, self._broken, self._left = None, None, b""

    def _starts_with(self, prefix: bytes, place: int) -> bool:
        self._raw.seek(place)
        try:
            data = self._new().decompress(self._raw.read(_TRIAL), len(prefix))
        except (EOFError, self._error()):
            return False
        return bool(data == prefix)

    def _unpack(self, most: int) -> bytes:
        """Up to `most` bytes, b"" only at the end."""
        data = b""
        while not data and (self._unpacker or self._open()):
            unpacker, block, is_end = self._unpacker, b"", False
            if unpacker.needs_input:
                block, self._left = self._left or self._raw.read(_BLOCK), b""
                is_end = not block
            data = unpacker.decompress(block, most)
            if unpacker.eof:
                self._unpacker, self._left = None, unpacker.unused_data
            elif is_end and not data:
                raise EOFError("the file is cut off")
        return data

    def _open(self) -> bool:
        """Begin the next member, if there is one; zeros between members are padding."""
        left = self._left.lstrip(b"\0")
        while not left:
            if not (block := self._raw.read(_BLOCK)):
                return False
            left = block.lstrip(b"\0")
        self._left = left
        start = self._raw.tell() - len(self._left)
        self._unpacked.append(self._at)
        self._packed.append(start)
        if start == 0 and self._left.startswith(_DICTIONARY):
            self._dictionary = self._read_dictionary()
        self._unpacker = self._new()
        return True

    def _read_dictionary(self) -> Any:
        """What all frames of this file were packed with; the frame itself is passed over."""
        zstd = _zstd()
        size = int.from_bytes(self._left[4:8], "little")
        if size > _LARGEST_DICTIONARY:
            raise EOFError(f"a dictionary of {size:,} bytes")
        while len(self._left) < size + 8 and (block := self._raw.read(_BLOCK)):
            self._left += block
        data, self._left = self._left[8 : size + 8], self._left[size + 8 :]
        if data.startswith(_MAGIC["zst"]):
            data = zstd.ZstdDecompressor().decompress(data, _LARGEST_DICTIONARY)
        try:
            return zstd.ZstdDict(data)
        except ValueError as error:
            raise EOFError(f"broken dictionary: {error}") from None

    def _new(self) -> Any:
        if self._packing == "gzip":
            return _GzipMember()
        return _zstd().ZstdDecompressor(self._dictionary)

    def _error(self) -> type[Exception]:
        """What the decompressor raises."""
        return zlib.error if self._packing == "gzip" else _zstd().ZstdError


def _zstd() -> Any:
    """In the standard library from 3.14 on; imported only where a file is packed with it."""
    with contextlib.suppress(ImportError):
        return importlib.import_module("compression.zstd")
    return importlib.import_module("backports.zstd")
