"""Text from standard input, which is UTF-8 whatever the system's language, or from a file."""

import sys
from collections.abc import Iterator
from pathlib import Path

from hornbook.core.errors import UsageError


def read_all() -> str:
    """All of the input."""
    return "" if sys.stdin is None else _decode(sys.stdin.buffer.read())


def read_line() -> str | None:
    """The next line without its end and white space around it, or None at the end of the input."""
    data = b"" if sys.stdin is None else sys.stdin.buffer.readline()
    return _decode(data).strip() if data else None


def text_of(file: Path | None) -> str:
    """All text of a file in any format that a corpus is built from, or of standard input."""
    if file is None or str(file) == "-":
        return read_all()
    from hornbook.read.documents import Document
    from hornbook.read.sources import read_file

    if not file.is_file():
        raise UsageError(f"{file} {'is no file' if file.exists() else 'does not exist'}.")
    texts = []
    for item in read_file(file):
        if not isinstance(item, Document):
            raise UsageError(f"{item.file}: {item.reason} ({item.detail}).")
        texts.append(item.text)
    return "\n\n".join(texts)


def lines() -> Iterator[str]:
    """The lines of the input, as `read_line` gives them, an empty one too."""
    while (line := read_line()) is not None:
        yield line


def _decode(data: bytes) -> str:
    """Without the mark of a file's start: of several, one may stand before any line."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise UsageError(
            f"The input is not UTF-8: byte 0x{byte:02x} at {error.start}; convert it first."
        ) from None
