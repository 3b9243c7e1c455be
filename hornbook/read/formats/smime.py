"""The letter inside an S/MIME envelope that is signed but not encrypted (RFC 8551, CMS)."""

_SIGNED = bytes.fromhex("06092a864886f70d010702")
_CONTENT = bytes.fromhex("06092a864886f70d010701")
"""The object identifiers of signed data, and of the data in it."""
_EXPLICIT, _OCTETS, _PIECES, _LENGTH_LATER = 0xA0, 0x04, 0x24, 0x80


def signed_content(data: bytes) -> bytes | None:
    """What was signed; None where the envelope holds nothing readable, as when it is encrypted."""
    if _SIGNED not in data[:64]:
        return None
    place = data.find(_CONTENT)
    if place < 0:
        return None
    try:
        tag, start, _ = _header(data, place + len(_CONTENT))
        return _octets(data, start) if tag == _EXPLICIT else None
    except (IndexError, ValueError):
        return None


def _header(data: bytes, place: int) -> tuple[int, int, int | None]:
    """Tag, where the value starts, and its length; None for one that ends with two zero bytes."""
    tag, first = data[place], data[place + 1]
    if first < _LENGTH_LATER:
        return tag, place + 2, first
    size = first & 0x7F
    if size == 0:
        return tag, place + 2, None
    if size > 4:
        raise ValueError("longer than any letter")
    start = place + 2 + size
    return tag, start, int.from_bytes(data[place + 2 : start], "big")


def _octets(data: bytes, place: int) -> bytes:
    """A string of bytes, in one piece or in several."""
    tag, start, length = _header(data, place)
    if tag == _OCTETS and length is not None:
        return data[start : start + length]
    if tag != _PIECES:
        raise ValueError("no string of bytes")
    end = len(data) if length is None else start + length
    pieces: list[bytes] = []
    while start < end:
        tag, inner, size = _header(data, start)
        if tag != _OCTETS or size is None:
            break
        pieces.append(data[inner : inner + size])
        start = inner + size
    return b"".join(pieces)
