"""Lines of a byte stream with a bound on their length, so that no line can fill the memory."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, cast

from hornbook.core.guarded import Fault as Fault
from hornbook.core.guarded import step
from hornbook.read.documents import Rejection
from hornbook.read.formats.decode import Utf16AsUtf8, encoding_of
from hornbook.read.formats.packed import BrokenPacking

LONGEST_LINE = 16 * 2**20
"""Bytes. No line that a person or program writes to be read is longer; a 1 GB line is a mistake."""

BROKEN = (EOFError, zlib.error, OSError, UnicodeDecodeError)
"""What a damaged stream raises in the middle of reading."""

_START = _BLOCK = 2**16


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


class LineBlock(NamedTuple):
    """Whole lines, one after another. first: the number of the first. data: UTF-8, as in `Line`.

    A fault is that of one line.
    """

    first: int
    data: bytes
    size: int
    fault: Fault | None = None

    def lines(self) -> Iterator[Line]:
        """One by one."""
        if self.fault:
            yield Line(self.first, b"", self.size, self.fault)
        for number, data in enumerate(io.BytesIO(self.data), self.first):
            yield Line(number, data, len(data))


def read_lines(stream: BinaryIO, step_bytes: int = 64) -> Iterator[Line]:
    """The lines of `read_blocks` one by one, and one with a fault for each that cannot be had.

    step_bytes: lines are steps under limits (`core.guarded`), shorter ones so many together.
    """
    pending = 0
    for block in read_blocks(stream):
        for line in block.lines():
            fault, pending = None, pending + line.size
            if pending >= step_bytes and not line.fault:
                fault, pending = step(pending), 0
            yield line._replace(data=b"", fault=fault) if fault else line


def read_blocks(stream: BinaryIO) -> Iterator[LineBlock]:
    """All lines of a seekable stream, many at a time, but for those that cannot be had.

    One longer than LONGEST_LINE is passed over in pieces; where the stream itself breaks, the
    lines before the break are kept. A mark at the start is taken off, UTF-16 becomes UTF-8. A line
    ends at \\n; at \\r where a file begins with lines that end so, as those of old programs do.
    """
    number = 1
    try:
        start = stream.read(_START)
        encoding = encoding_of(start)
        stream.seek(3 if encoding == "utf-8-sig" else 0)
        if encoding.startswith("utf-16"):
            wide = _buffered(Utf16AsUtf8(stream, encoding))
            stream, start = wide, wide.peek(_START)
        elif b"\0" in start:
            yield LineBlock(0, b"", 0, Fault("binary", "holds NUL bytes"))
            return
        if b"\r" in start and b"\n" not in start:
            stream = _buffered(_Returns(stream))
        for block in _split(cast(io.BufferedReader, stream)):
            number = block.first + max(1, block.data.count(b"\n"))
            yield block
    except BROKEN as error:
        yield LineBlock(number, b"", 0, fault_of(error))


def _buffered(stream: Any) -> Any:
    return io.BufferedReader(stream, 2**18)


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


def _split(stream: io.BufferedReader) -> Iterator[LineBlock]:
    """Blocks of about `_BLOCK` bytes; what begins a line waits for the rest of it."""
    number, waiting, size = 1, list[bytes](), 0
    while data := stream.read1(_BLOCK):
        first = data.find(b"\n") + 1
        if not first:
            size += len(data)
            waiting.append(data)
            if size > LONGEST_LINE:  # only counted from here on
                waiting.clear()
            continue
        if size + first > LONGEST_LINE:
            yield _too_long(number, size + first)
            number, data, waiting = number + 1, data[first:], []
        end = data.rfind(b"\n") + 1
        if whole := b"".join([*waiting, data[:end]]):
            yield LineBlock(number, whole, len(whole))
            number += whole.count(b"\n")
        waiting, size = [data[end:]], len(data) - end
    if size > LONGEST_LINE:
        yield _too_long(number, size)
    elif rest := b"".join(waiting):
        yield LineBlock(number, rest, len(rest))


def _too_long(number: int, size: int) -> LineBlock:
    detail = f"{size:,} bytes without a line break; the most is {LONGEST_LINE:,}"
    return LineBlock(number, b"", size, Fault("line too long", detail))


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
