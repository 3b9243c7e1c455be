"""Bytes to text: UTF-8 with or without a mark, UTF-16 with one; anything else is named.

Knows encodings; knows nothing of formats.
"""

import codecs
import io
from typing import BinaryIO

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class NotText(ValueError):
    """The bytes are no text in an encoding we can be sure of.

    reason: short and countable. offset: the first byte that is wrong.
    """

    def __init__(self, reason: str, detail: str, offset: int) -> None:
        super().__init__(detail)
        self.reason, self.offset = reason, offset


def encoding_of(start: bytes) -> str:
    """The encoding that a file's first bytes declare; UTF-8 without a mark."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")


def decode(data: bytes) -> str:
    """UTF-8 bytes as text; line breaks become \\n. Raises NotText, also for NUL bytes."""
    if (nul := data.find(b"\0")) >= 0:
        raise NotText("binary", "holds NUL bytes", nul)
    try:
        return newlines(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = f"byte 0x{data[error.start]:02x}: {error.reason}"
        raise NotText("not UTF-8", byte, error.start) from None


def is_text(start: bytes) -> bool:
    """Whether a file's first bytes are text; the last character may be cut."""
    if encoding_of(start) == "utf-16":
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return b"\0" not in start


def newlines(text: str) -> str:
    """Every line break as \\n: the only change made to a text."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Utf16AsUtf8(io.RawIOBase):
    """A stream of UTF-16 with its mark, read as UTF-8, so that its lines end at a \\n byte.

    Reading raises UnicodeDecodeError where the bytes are no UTF-16.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-16")()
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._pending:
            block = self._stream.read(2**16)
            self._pending = self._decoder.decode(block, final=not block).encode("utf-8")
            if not block:
                break
        size = min(len(buffer), len(self._pending))
        buffer[:size], self._pending = self._pending[:size], self._pending[size:]
        return size
