"""Charsets by the labels of the WHATWG Encoding Standard, over Python's codecs.

A label on the web names more than its standard says: `shift_jis` is Windows' code page 932,
`iso-8859-1` is windows-1252.
"""

import codecs
import re

_WIDER = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "iso2022_jp_1": "iso2022_jp",
    "iso2022_jp_ext": "iso2022_jp",
    "utf-16": "utf-16-le",
    "utf-8-sig": "utf-8",
}
"""Python's codec of what a label says, to the codec of what is found under it."""

_OTHER = {
    "x-user-defined": "cp1252",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic",
    "cp50220": "iso2022_jp",
    "cp50221": "iso2022_jp",
    "cp50222": "iso2022_jp",
    "cp51932": "euc_jp",
    "eucjp-ms": "euc_jp",
    "eucjp-win": "euc_jp",
    "hz-gb-2312": "hz",
}
"""Labels that neither the standard's table nor Python has under this name."""

_NO_TEXT = frozenset({"idna", "mbcs", "oem", "punycode", "unicode_escape", "raw_unicode_escape"})
"""Python's codecs from bytes to text that are no charset."""

_IS_ASCII = re.compile(r"(us-?)?ascii|ansi_x3\.4-19..|iso646-us|iso-ir-6|646")
_LABEL = re.compile(r"[\w.:+-]{2,40}", re.ASCII)


def charset_named(label: str | None) -> str | None:
    """The codec of a label, or of the first known one of several; None where none is known.

    `ascii` for labels of ASCII: bytes beyond it contradict them.
    """
    for name in _LABEL.findall((label or "").lower())[:4]:
        if found := _codec(name) or _codec(name.removeprefix("x-")):
            return found
    return None


def _codec(label: str) -> str | None:
    from resiliparse.parse.encoding import map_encoding_to_html5

    if _IS_ASCII.fullmatch(label):
        return "ascii"
    name = _OTHER.get(label) or map_encoding_to_html5(label, fallback_utf8=False) or label
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    is_text = found._is_text_encoding and found.name not in _NO_TEXT
    return _WIDER.get(found.name, found.name) if is_text else None


def decode_as(data: bytes, codec: str) -> str:
    """The text in a charset that `charset_named` gives; what is no character is U+FFFD."""
    if codec == "iso2022_jp":
        data, codec = _seven_bit_as_euc(data), "euc_jp"
    handler = _HANDLERS.get(codec, "replace")
    if len(data) > _START and handler != "replace" and _is_noise(data[:_START], codec, handler):
        handler = "replace"  # ours takes a hundred times as long for each character that is none
    text = data.decode(codec, handler)
    signs = _SIGNS.get(codec)
    return text.translate(signs) if signs and _SEARCHED[codec].search(text) else text


_START = 2**16


def _is_noise(data: bytes, codec: str, handler: str) -> bool:
    """Whether these bytes are hardly in this charset at all."""
    text = data.decode(codec, handler)
    return text.count("\ufffd") * 20 > len(text)


def _c1(error: UnicodeError) -> tuple[str, int]:
    """Bytes that a code page of Windows does not use are controls, as browsers read them."""
    assert isinstance(error, UnicodeDecodeError)
    byte = error.object[error.start]
    return (chr(byte) if 0x80 <= byte < 0xA0 else "\ufffd"), error.start + 1


def _euro(error: UnicodeError) -> tuple[str, int]:
    """Windows has the euro sign where the Chinese standards have nothing."""
    assert isinstance(error, UnicodeDecodeError)
    if error.encoding == "big5hkscs" and error.object.startswith(b"\xa3\xe1", error.start):
        return "€", error.start + 2
    is_gb = error.encoding == "gb18030" and error.object[error.start] == 0x80
    return ("€" if is_gb else "\ufffd"), error.end


def _euc(error: UnicodeError) -> tuple[str, int]:
    """NEC's and IBM's characters, such as ① and 髙, stand in rows that the standard leaves free."""
    assert isinstance(error, UnicodeDecodeError)
    high, low = error.object[error.start], error.object[error.start + 1 : error.start + 2]
    if 0xA1 <= high <= 0xFE and b"\xa1" <= low <= b"\xfe":
        row, cell = high - 0xA1, low[0] - 0xA1
        first = row // 2 + (0x81 if row < 62 else 0xC1)
        second = cell + 0x9F if row % 2 else cell + 0x40 + (cell >= 63)
        found = bytes((first, second)).decode("cp932", "replace")
        return ("\ufffd" if "\ufffd" in found else found), error.start + 2
    return "\ufffd", error.end


codecs.register_error("hornbook.c1", _c1)
codecs.register_error("hornbook.euro", _euro)
codecs.register_error("hornbook.euc", _euc)

_HANDLERS = {f"cp{number}": "hornbook.c1" for number in (874, *range(1250, 1259))}
_HANDLERS |= {"gb18030": "hornbook.euro", "big5hkscs": "hornbook.euro", "euc_jp": "hornbook.euc"}

_GB_VERTICAL = dict(zip(range(0xE78D, 0xE797), "︐︒︑︓︔︕︖︗︘︙", strict=True))
_GB_OTHER = {0xE5E5: "\u3000", 0xE7C7: "ḿ", 0xE81E: "龴", 0xE826: "龵", 0xE82B: "龶", 0xE82C: "龷"}
_GB_LAST = {0xE832: "龸", 0xE843: "龹", 0xE854: "龺", 0xE864: "龻"}
_SIGNS: dict[str, dict[int, str]] = {
    "cp932": dict.fromkeys(range(0xF8F0, 0xF8F4), "\ufffd"),
    "euc_jp": dict(zip(map(ord, "〜‖−¢£¬"), "～∥－￠￡￢", strict=True)),
    "big5hkscs": dict(zip(map(ord, "•､‾∼♁☉¥¢£￭"), "‧﹑¯～⊕⊙￥￠￡▓", strict=True)),
    "gb18030": {**_GB_VERTICAL, **_GB_OTHER, **_GB_LAST},
}
"""Signs that the web reads otherwise than Python; private characters that Unicode has by now."""
_SEARCHED = {name: re.compile(f"[{''.join(map(chr, signs))}]") for name, signs in _SIGNS.items()}

_ESCAPE = re.compile(rb"\x1b(\([BHIJ]|\$\([@BD]|\$[@B])")


def _seven_bit_as_euc(data: bytes) -> bytes:
    """ISO-2022-JP as EUC-JP, which holds the same sets (half-width kana and JIS X 0212 too)."""
    pieces = _ESCAPE.split(data)
    out = [pieces[0]]
    for escape, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if escape in (b"(B", b"(J", b"(H"):
            out.append(piece)
        elif escape == b"(I":
            out.append(_kana(piece))
        else:
            out.append(_wide(piece, b"\x8f" if escape == b"$(D" else b""))
    return b"".join(out)


_HIGH = bytes(byte | 0x80 if 0x21 <= byte < 0x7F else byte for byte in range(256))
_PAIR = re.compile(rb"[\xa1-\xfe]{2}")
_SINGLE = re.compile(rb"[\xa1-\xdf]")


def _kana(piece: bytes) -> bytes:
    return _SINGLE.sub(b"\x8e\\g<0>", piece.translate(_HIGH))


def _wide(piece: bytes, shift: bytes) -> bytes:
    """Pairs of bytes, each after `shift`."""
    high = piece.translate(_HIGH)
    return _PAIR.sub(shift + b"\\g<0>", high) if shift else high
