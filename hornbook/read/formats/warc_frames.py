"""The records of a WARC file (ISO 28500), cut out one by one: a broken one costs only itself."""

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from hornbook.core.lines import lines_of
from hornbook.read.formats.lines import BROKEN, Fault, fault_of
from hornbook.read.formats.packed import Members, packing_of, packing_within

LARGEST_BODY = 32 * 2**20
"""Bytes of a record that are held; of a longer one, such as a film, the beginning."""

_LARGEST_HEAD = 2**16
_MOST_IN_VAIN = 2**28
"""Bytes read for lengths that lead nowhere: then none is believed beyond the next record."""
_MAGIC = b"WARC/"
_FIRST_LINE = re.compile(rb"WARC/\d\.\d+\r?\n\Z")


class Frame(NamedTuple):
    """One record. headers: names in small letters. size: bytes of the whole record unpacked."""

    head: bytes
    headers: dict[str, str]
    body: bytes
    size: int

    @property
    def whole(self) -> bool:
        """Whether all of the body is here."""
        return len(self.head) + len(self.body) == self.size


class Broken(NamedTuple):
    """One record that cannot be had. size: bytes passed over, packed where the packing broke."""

    fault: Fault
    size: int


class Frames:
    """All records of a seekable stream, which may be packed, in their order."""

    def __init__(self, stream: BinaryIO) -> None:
        packing = _packing(stream)
        self._members = Members(stream, packing) if packing else None
        self._stream = self._buffered() if packing else stream
        self._line = b""  # the first line of the next record, if it was read already
        self._in_vain = 0
        self._end: int | None = None  # where the stream ends, once that was seen

    def __iter__(self) -> Iterator[Frame | Broken]:
        while True:
            try:
                if not (self._line or self._advance()):
                    return
                found = self._read()
            except BROKEN as error:
                skipped = self._resume()
                yield Broken(fault_of(error), skipped or 0)
                if skipped is None:
                    return
            else:
                yield found

    def _buffered(self) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, self._members)))

    def _resume(self) -> int | None:
        """Go on at the next member that begins with a record."""
        self._line = b""
        if self._members is None:
            return None
        cast(io.BufferedReader, self._stream).detach()
        skipped = self._members.resume(_MAGIC)
        self._stream = self._buffered()
        return skipped

    def _advance(self) -> bytes:
        """Read the next line that is not empty; b"" at the end."""
        while (line := self._stream.readline(_LARGEST_HEAD)) and not line.strip():
            pass
        self._line = line
        return line

    def _read(self) -> Frame | Broken:
        """The record that begins with the line that was read."""
        first, self._line = self._line, b""
        after = self._stream.tell()
        if not _FIRST_LINE.fullmatch(first):
            return self._pass_over("no WARC header", after, len(first))
        head = self._head(first)
        headers = _headers(head)
        if (length := _length(headers)) is None:
            return self._pass_over("no usable Content-Length", after, len(first))
        if self._in_vain > _MOST_IN_VAIN:
            return self._read_warily(head, headers, length)
        if self._end is None or self._stream.tell() + length <= self._end:
            body = self._stream.read(min(length, LARGEST_BODY))
            missing = length - len(body) - self._skip(length - len(body))
        else:
            body, missing = b"", self._stream.tell() + length - self._end
        if missing > 0:
            self._end = self._end or self._stream.tell()
            detail = f"{missing:,} of {length:,} bytes are missing"
            return self._pass_over(detail, after, len(first))
        try:
            self._advance()
        except BROKEN:  # belongs to the next record, where it is raised again
            return Frame(head, headers, body, len(head) + length)
        if self._line and not self._line.startswith(_MAGIC):
            detail = f"Content-Length is {length:,}, but the next record does not begin there"
            return self._pass_over(detail, after, len(first))
        return Frame(head, headers, body, len(head) + length)

    def _read_warily(self, head: bytes, headers: dict[str, str], length: int) -> Frame | Broken:
        """The record up to its length, or up to the next record if that begins before."""
        body, size = bytearray(), 0
        while size < length:
            line = self._stream.readline(min(_LARGEST_HEAD, length - size))
            if not line or (found := _FIRST_LINE.search(line)):
                self._line = found[0] if line and found else b""
                fault = Fault("broken record", f"Content-Length is {length:,}, but it ends before")
                return Broken(fault, len(head) + size)
            size += len(line)
            body += line[: LARGEST_BODY - len(body)]
        while (line := self._stream.readline(_LARGEST_HEAD)) and not _FIRST_LINE.search(line):
            pass
        found = _FIRST_LINE.search(line)
        self._line = found[0] if found else b""
        return Frame(head, headers, bytes(body), len(head) + length)

    def _head(self, first: bytes) -> bytes:
        head = first
        while len(head) < _LARGEST_HEAD:
            line = self._stream.readline(_LARGEST_HEAD)
            head += line
            if not line.strip():
                break
        return head

    def _skip(self, count: int) -> int:
        """Read up to `count` bytes and forget them: how many there were."""
        left = count
        while left > 0 and (data := self._stream.read(min(left, 2**20))):
            left -= len(data)
        return count - left

    def _pass_over(self, detail: str, after: int, size: int) -> Broken:
        """Go on at the next line that can begin a record, from the place `after` on.

        It need not begin a line: a record that is cut off in its own member has no line break.
        """
        # What is packed is unpacked again from the start of its member.
        self._in_vain += self._stream.tell() - (0 if self._members else after)
        self._stream.seek(after)
        while line := self._stream.readline(_LARGEST_HEAD):
            if found := _FIRST_LINE.search(line):
                self._line = found[0]
                size += found.start()
                break
            size += len(line)
        return Broken(Fault("broken record", detail), size)


def _packing(stream: BinaryIO) -> str | None:
    """How the file is packed, even where its first member is the broken one."""
    start = stream.read(2**20)
    stream.seek(0)
    return packing_of(start) or (None if _MAGIC in start else packing_within(start))


def _headers(head: bytes) -> dict[str, str]:
    lines = lines_of(head.decode("utf-8", "replace"))[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, value in pairs}


def _length(headers: dict[str, str]) -> int | None:
    value = headers.get("content-length", "")
    return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else None
