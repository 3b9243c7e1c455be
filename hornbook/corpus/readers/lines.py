"""Lines of a byte stream with a bound on their length, so that no line can fill the memory.

Knows bytes; knows nothing of formats.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

LONGEST_LINE = 16 * 2**20
"""Bytes. No line that a person or program writes to be read is longer; a 1 GB line is a mistake."""

BROKEN = (EOFError, zlib.error, OSError)
"""What a damaged compressed stream raises in the middle of reading."""


class Line(NamedTuple):
    """number: from 1. data: with its line break, or b"" when the line was too long to hold."""

    number: int
    data: bytes
    size: int


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """All lines; one longer than LONGEST_LINE is passed over in pieces and comes empty."""
    number = 0
    while data := stream.readline(LONGEST_LINE):
        number += 1
        size = len(data)
        if size == LONGEST_LINE and not data.endswith(b"\n"):
            while piece := stream.readline(LONGEST_LINE):
                size += len(piece)
                if piece.endswith(b"\n"):
                    break
            data = b""
        yield Line(number, data, size)
