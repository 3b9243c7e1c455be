"""Bytes to text: which charset some bytes have, and what of a text is no text."""

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from hornbook.read.formats.charsets import charset_named, decode_as

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
    """The encoding that a file's first bytes show: a mark, or every other byte NUL; else UTF-8."""
    marked = next((name for mark, name in _MARKS if start.startswith(mark)), None)
    return marked or (_unmarked(start[:512]) if b"\0" in start[:512] else "utf-8")


def is_wide(start: bytes, label: str | None = None) -> bool:
    """Whether these are the first bytes of UTF-16, in which NUL bytes are part of characters."""
    named = charset_named(label) or ""
    return encoding_of(start).startswith("utf-16") or named.startswith(("utf-16", "utf-32"))


_PLAIN = bytes((*b"\t\n\r", *range(32, 127), *range(160, 256)))


def _unmarked(start: bytes) -> str:
    """UTF-16 of mostly Latin letters, which some programs write without a mark; else UTF-8."""
    for name, plain, high in (
        ("utf-16-le", start[0::2], start[1::2]),
        ("utf-16-be", start[1::2], start[0::2]),
    ):
        if len(high) > 3 and high.count(0) > 0.7 * len(high) and b"\0" not in plain:
            letters = bytes(low for low, top in zip(plain, high, strict=False) if not top)
            if not letters.translate(None, _PLAIN):
                return name
    return "utf-8"


def decode(data: bytes) -> str:
    """UTF-8 bytes as text; line breaks become \\n. Raises NotText, also for NUL bytes."""
    if (nul := data.find(b"\0")) >= 0:
        raise NotText("binary", "holds NUL bytes", nul)
    try:
        return newlines(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte = f"byte 0x{data[error.start]:02x}: {error.reason}"
        hint = _hint(data[max(0, error.start - _NEAR) : error.start + _NEAR])
        raise NotText("not UTF-8", byte + hint, error.start) from None


def _hint(data: bytes) -> str:
    """What text that is no UTF-8 may be, for whoever has to convert it; "" for damaged UTF-8."""
    text = data.decode("utf-8", "replace")
    replaced, beyond = text.count("\ufffd"), len(text) - len(text.encode("ascii", "ignore"))
    if _beyond(data) <= _UNSURE or beyond > 2 * replaced:
        return ""
    return f"; it looks like {_looks_like(data)}"


class Decoded(NamedTuple):
    """Text of bytes whose charset is not known for sure. replaced: U+FFFD put in by decoding."""

    text: str
    replaced: int


_UNSURE = 6
"""Bytes beyond ASCII: as few as these are valid UTF-8 by chance in a charset of two bytes."""
_TWO_BYTES = frozenset({"cp932", "euc_jp", "cp949", "gb18030", "big5hkscs", "johab"})
_BELIEVED = 10
"""Characters beyond ASCII for each that a charset does not have, for its label to be believed: a
page may be damaged in a few places."""

_SHIFTS = (b"+", b"~{", b"\0")
"""One of these is in what looks like ASCII and is not (beside escapes)."""
_NEAR = 4096
"""Bytes before and behind a wrong one that say what charset it may be."""
_ASCII = bytes(range(128))
_SEVEN_BIT = ("hz", "utf-7", "cp037", "cp500", "cp1140")
_C1 = [chr(code) for code in range(0x80, 0xA0)]


def decode_labelled(data: bytes, labels: Iterable[str | None] = ()) -> Decoded:
    """Text that came with labels, the strongest first, or with none.

    A mark decides. What is UTF-8 beyond ASCII is hardly ever anything else, whereas servers declare
    ISO-8859-1 for all they have. A label that the bytes contradict is not believed: then how they
    look decides, unless another charset fits better.
    """
    encoding = encoding_of(data)
    if encoding != "utf-8":
        return _counted(data, encoding.removesuffix("-sig"), data.startswith(codecs.BOM_UTF8) * 3)
    text = None if b"\x1b" in data else _strict(data)  # escapes: ISO-2022 is ASCII to look at
    if text is not None and _is_sure(data, text):
        return Decoded(text, 0)
    named = [codec for label in labels if (codec := charset_named(label))]
    if data.isascii():
        looks = [_looks_like(data)] if b"\x1b" in data else []
        fits = (codec for codec in (*named, *looks) if _fits_ascii(codec, data))
        return _counted(data, next(fits, "utf-8"))
    if text is not None and not (named and _is_short_of(named[0], data)):
        return Decoded(text, 0)
    return _best(data, [codec for codec in named if codec != "ascii"])


def _is_sure(data: bytes, text: str) -> bool:
    """Whether valid UTF-8 is no accident, and no ASCII that stands for something else."""
    if data.isascii():
        return not any(sign in data for sign in _SHIFTS)
    return len(data) - len(text) > _UNSURE


def _strict(data: bytes) -> str | None:
    """Valid UTF-8 as text."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_short_of(codec: str, data: bytes) -> bool:
    """Whether these few bytes may as well be what their label says."""
    few = codec in _TWO_BYTES and _beyond(data) < _UNSURE
    return few and _counted(data, codec).replaced == 0


def _fits_ascii(codec: str, data: bytes) -> bool:
    """Whether bytes below 128 can mean something else than ASCII in this charset."""
    wide = codec.startswith(("utf-16", "utf-32")) and b"\0" in data
    return wide or codec in _SEVEN_BIT or (codec.startswith("iso2022") and b"\x1b" in data)


def _best(data: bytes, named: list[str]) -> Decoded:
    """The first charset that is believed; else the one of all in which least is wrong."""
    tried: list[tuple[int, Decoded]] = []
    for codec in dict.fromkeys((*named, "utf-8", _looks_like(data))):
        found = _counted(data, codec)
        beyond = len(found.text) - len(found.text.encode("ascii", "ignore"))
        wrong = found.replaced + sum(map(found.text.count, _C1))
        # Sequences of UTF-8 are no accident; letters of other charsets may be.
        if wrong * (3 if codec == "utf-8" else _BELIEVED) <= beyond - wrong:
            return found
        tried.append((wrong, found))
    return min(tried, key=lambda one: one[0])[1]


def _counted(data: bytes, codec: str, mark: int = 0) -> Decoded:
    """Decoded without its first `mark` bytes."""
    text = decode_as(data[mark:], codec)
    replaced = text.count("\ufffd")
    had = data.count(b"\xef\xbf\xbd") if replaced and codec == "utf-8" else 0
    return Decoded(text, max(0, replaced - had))


def _beyond(data: bytes) -> int:
    return len(data.translate(None, _ASCII))


def _looks_like(data: bytes) -> str:
    """What the bytes look like; windows-1252 where they are too few to say."""
    from resiliparse.parse.encoding import detect_encoding

    found = charset_named(detect_encoding(data, html5_compatible=False))
    if found in (None, "utf-8", "ascii"):
        return "cp1252"
    few = _beyond(data) <= _UNSURE and (found.startswith("iso8859") or found in _LATIN)
    return "cp1252" if few else found


_LATIN = frozenset({"cp1250", "cp1254", "cp1257", "cp1258"})


def is_utf8(data: bytes) -> bool:
    """Whether it is UTF-8; the last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def is_text(start: bytes) -> bool:
    """Whether a file's first bytes are text; the last character may be cut."""
    return is_wide(start) or (is_utf8(start) and b"\0" not in start)


def newlines(text: str) -> str:
    """Every line break as \\n."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


_CONTROLS = bytes((*range(9), *range(11, 32), 127))
_HIGH_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")
_NONCHARACTERS = [chr(code) for code in (*range(0xFDD0, 0xFDF0), 0xFFFE, 0xFFFF)]
_FAR_NONCHARACTERS = [
    chr(plane + last) for plane in range(0x10000, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
]
_FAR_BYTES = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")
"""One of these begins each character beyond the first 65,536 in UTF-8."""
_LOST = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{''.join(_NONCHARACTERS + _FAR_NONCHARACTERS)}]")
_BREAKS = "\v\f\r\x1c\x1d\x1e\x85"
"""Controls that separate lines, pages and records: words on both sides stay apart."""


def without_controls(text: str) -> tuple[str, int]:
    """The text without what is no character of any text, and how many of these it had.

    Controls but tab and line break, and Unicode's noncharacters. The check of a text that has none
    goes over its bytes: a regular expression over its characters takes ten times as long. Raises
    UnicodeEncodeError for half a surrogate pair.
    """
    data = text.encode("utf-8")
    clean = len(data.translate(None, _CONTROLS)) == len(data)
    if clean and (text.isascii() or not _holds_lost(text, data)):
        return text, 0
    found = Counter(_LOST.findall(text))
    signs = {ord(sign): "\n" if sign in _BREAKS else None for sign in found}
    return newlines(text).translate(signs), found.total()


def _holds_lost(text: str, data: bytes) -> bool:
    """Whether a text, of these bytes in UTF-8, holds controls beyond ASCII or noncharacters.

    One byte or one character is looked for ten times as fast as two bytes, or one of several.
    """
    if b"\xc2" in data and _HIGH_CONTROL.search(data):
        return True
    if any(sign in text for sign in _NONCHARACTERS):
        return True
    is_far = any(byte in data for byte in _FAR_BYTES)
    return is_far and any(sign in text for sign in _FAR_NONCHARACTERS)


class Utf16AsUtf8(io.RawIOBase):
    """A stream of UTF-16, read as UTF-8, so that its lines end at a \\n byte.

    Reading raises UnicodeDecodeError where the bytes are no UTF-16.
    """

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
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
