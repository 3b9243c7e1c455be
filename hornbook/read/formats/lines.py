"""Lines of a byte stream with a bound on their length, so that no line can fill the memory.

Knows bytes and their encodings; knows nothing of formats.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from hornbook.core.guarded import Fault as Fault
from hornbook.core.guarded import step
from hornbook.read.documents import Rejection
from hornbook.read.formats.decode import Utf16AsUtf8, encoding_of
from hornbook.read.formats.packed import BrokenPacking

LONGEST_LINE = 16 * 2**20
"""Bytes. No line that a person or program writes to be read is longer; a 1 GB line is a mistake."""

BROKEN = (EOFError, zlib.error, OSError, UnicodeDecodeError)
"""What a damaged stream raises in the middle of reading."""

_START = 2**16


class Line(NamedTuple):
    """number: from 1. data: UTF-8 with its line break, b"" when there is a fault. size: bytes.

    A fault with the number 0 means the whole file.
    """

    number: int
    data: bytes
    size: int
    fault: Fault | None = None

    def rejection(self, source: str, fault: Fault) -> Rejection:
        """The record of this line that could not be read."""
        return Rejection(source, self.number or None, *fault, self.size)


def read_lines(stream: BinaryIO, step_bytes: int = 64) -> Iterator[Line]:
    """All lines of a seekable stream, and a line with a fault for each that cannot be had.

    One longer than LONGEST_LINE is passed over in pieces; where the stream itself breaks, the
    lines before the break are kept. A mark at the start is taken off, UTF-16 becomes UTF-8. A line
    ends at \\n; at \\r where a file begins with lines that end so, as those of old programs do.
    step_bytes: lines are steps under limits (`core.guarded`), shorter ones so many together.
    """
    number = pending = 0
    try:
        start = stream.read(_START)
        encoding = encoding_of(start)
        stream.seek(3 if encoding == "utf-8-sig" else 0)
        if encoding.startswith("utf-16"):
            wide = cast(io.RawIOBase, Utf16AsUtf8(stream, encoding))
            stream = io.BufferedReader(wide, 2**18)
            start = stream.peek(_START)
        elif b"\0" in start:
            yield Line(0, b"", 0, Fault("binary", "holds NUL bytes"))
            return
        if b"\r" in start and b"\n" not in start:
            stream = io.BufferedReader(cast(io.RawIOBase, _Returns(stream)), 2**18)
        for line in _split(stream):
            number = line.number
            fault, pending = None, pending + line.size
            if pending >= step_bytes:
                fault, pending = step(pending), 0
            yield line._replace(data=b"", fault=fault) if fault else line
    except BROKEN as error:
        yield Line(number + 1, b"", 0, fault_of(error))


class _Returns(io.RawIOBase):
    """A stream whose lines end at \\r."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(data)] = data
        return len(data)


def _split(stream: BinaryIO) -> Iterator[Line]:
    number = 0
    while data := stream.readline(LONGEST_LINE):
        number += 1
        if len(data) < LONGEST_LINE or data.endswith(b"\n"):
            yield Line(number, data, len(data))
            continue
        size = len(data)
        while not data.endswith(b"\n") and (data := stream.readline(LONGEST_LINE)):
            size += len(data)
        detail = f"{size:,} bytes without a line break; the most is {LONGEST_LINE:,}"
        yield Line(number, b"", size, Fault("line too long", detail))


def broken(reason: str, error: Exception) -> Fault:
    """What a parser's exception means; `reason` where it is not one of our own limits."""
    if isinstance(error, MemoryError):
        return Fault("too much memory", str(error))
    if isinstance(error, RecursionError):
        return Fault("nested too deeply", str(error))
    return Fault(reason, f"{type(error).__name__}: {error}")


def fault_of(error: BaseException) -> Fault:
    """What a stream's exception means."""
    if isinstance(error, BrokenPacking):
        return Fault(error.reason, str(error))
    if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
        return Fault("broken gzip", f"{error}; what follows is lost")
    if isinstance(error, UnicodeDecodeError):
        return Fault("not UTF-16", f"byte {error.start}: {error.reason}; what follows is lost")
    return Fault("unreadable file", str(error))
