"""Mail: a message a document, from .eml files and .mbox boxes, by the standard library."""

import codecs
import email
import email.policy
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

from hornbook.core.guarded import step
from hornbook.read.documents import LEFT_OUT, REPLACED, Document, Rejection
from hornbook.read.formats.lines import BROKEN, LONGEST_LINE, Fault, broken, fault_of
from hornbook.read.formats.mail_parts import ENCRYPTED, content_of, header
from hornbook.read.formats.register import reads
from hornbook.read.formats.whole import read_whole

LARGEST_MESSAGE = 64 * 2**20
"""Bytes of one message with its attachments."""

_HEADERS = ("subject", "date", "from")

_SEPARATOR = re.compile(rb"From (?>.*?\d\d:\d\d).*\d{4}")
"""Between the messages of a box, after an empty line; sentences begin with "From " as well."""
_BARE = re.compile(rb"From \S+\s*")
"""The same without a date, where a box begins so."""

_QUOTED = re.compile(rb"^>(>*From )", re.MULTILINE)
"""A line of a message that began with "From " when it was put into the box (mboxrd)."""

_START = re.compile(rb"(?:From [^\n]*\n)?[!-9;-~]+[ \t]*:")
"""A header; a single message that was cut out of a box may still have its separator."""


@reads(".eml")
def read_eml(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """One document; subject, date and from go to the metadata."""
    data = read_whole(stream, source, LARGEST_MESSAGE)
    if isinstance(data, Rejection):
        yield data
    elif data:
        found = _message(data, source)
        yield Rejection(source, None, *found) if isinstance(found, Fault) else found


@reads(".emlx")
def read_emlx(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """As `read_eml`, of a message as Apple's program keeps it: its size before it, notes behind."""
    data = read_whole(stream, source, LARGEST_MESSAGE)
    if isinstance(data, Rejection):
        yield data
        return
    size, _, rest = data.partition(b"\n")
    if size.strip().isdigit():
        data = rest[: int(size[:20])]
    yield from read_eml(BytesIO(data), source)


def is_letter(start: bytes) -> bool:
    """Whether a file's first bytes are a message: folders of mail name them without a suffix."""
    return _START.match(start) is not None


@reads(".mbox")
def read_mbox(stream: BinaryIO, source: str) -> Iterator[Document | Rejection]:
    """A document a message, streamed; rejections have the number of the message's first line."""
    for piece in _messages(stream):
        found = piece.fault or step(piece.size) or _message(piece.data, source)
        if isinstance(found, Fault):
            yield Rejection(source, piece.line, *found, piece.size)
        else:
            yield found


class _Message(NamedTuple):
    """One message of a box without its separator. line: where it begins. size: in bytes."""

    line: int
    data: bytes
    size: int
    fault: Fault | None = None


class _Box:
    """The lines of the message that is being read."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.first, self.size = 1, 0
        self.is_open = False

    def begin(self, number: int, separator: bytes) -> None:
        self.lines, self.first, self.size, self.is_open = [], number, len(separator), True

    def add(self, line: bytes) -> None:
        self.size += len(line)
        if self.size <= LARGEST_MESSAGE and self.is_open:
            self.lines.append(line)
        else:  # only counted from here on
            self.lines.clear()

    def piece(self, fault: Fault | None = None) -> _Message:
        if not self.is_open:
            fault = Fault("not mail", "no line `From ...` before this text")
        elif self.size > LARGEST_MESSAGE and fault is None:
            detail = f"{self.size:,} bytes; the most is {LARGEST_MESSAGE:,}"
            fault = Fault("message too large", detail)
        data = b"" if fault else _QUOTED.sub(rb"\1", b"".join(self.lines))
        return _Message(self.first, data, self.size, fault)


def _messages(stream: BinaryIO) -> Iterator[_Message]:
    """Cut at the separators; where the stream breaks, the message before the break is lost."""
    box, number, blank, separator = _Box(), 0, True, _SEPARATOR
    try:
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if number == 1 and _BARE.fullmatch(line):
                separator = _BARE
            if blank and (separator.fullmatch(line) or _SEPARATOR.match(line)):
                if box.size:
                    yield box.piece()
                box.begin(number, line)
            elif box.size or line.strip():
                box.add(line)
            blank = not line.strip()
    except BROKEN as error:
        box.is_open = True
        yield box.piece(fault_of(error))
        return
    if box.size:
        yield box.piece()


def _message(data: bytes, source: str) -> Document | Fault:
    data = data.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    if not _START.match(data):
        return Fault("not mail", "does not begin with a header")
    try:
        message = email.message_from_bytes(data, policy=email.policy.compat32)
        content = content_of(message)
        metadata: dict[str, Any] = {name: header(message, name) for name in _HEADERS}
    except Exception as error:  # the parser raises a dozen unrelated types on odd mail
        return broken("broken mail", error)
    if not content.texts:
        names = ", ".join(content.left_out) or message.get_content_type()
        is_sealed = any(name.startswith(ENCRYPTED) for name in content.left_out)
        return Fault("encrypted mail" if is_sealed else "mail without text", f"only {names}")
    metadata |= {LEFT_OUT: content.left_out, REPLACED: content.replaced}
    metadata = {name: value for name, value in metadata.items() if value}
    created = _iso(metadata.get("date", ""))
    return Document("", content.text, source, created=created, metadata=metadata)


def _iso(date: str) -> str:
    try:
        return parsedate_to_datetime(date).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
