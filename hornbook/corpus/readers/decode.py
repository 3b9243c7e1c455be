"""Bytes to text: UTF-8 with or without a mark, UTF-16 with one; anything else is named.

Knows encodings; knows nothing of formats.
"""

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class NotText(ValueError):
    """The bytes are not text in an encoding we can be sure of. `reason` is short and countable."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def encoding_of(start: bytes) -> str:
    """The encoding that a file's first bytes declare; UTF-8 without a mark."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")


def decode(data: bytes) -> str:
    """Decode a whole file; line breaks become \\n. Raises NotText."""
    encoding = encoding_of(data)
    if encoding != "utf-16" and b"\0" in data[:65536]:
        raise NotText("binary", "holds NUL bytes")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise NotText("not UTF-8", f"byte {error.start}: {error.reason}") from None
    return newlines(text)


def newlines(text: str) -> str:
    """Every line break as \\n: the only change made to a text."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
