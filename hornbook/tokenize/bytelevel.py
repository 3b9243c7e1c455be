"""The byte-level alphabet: every byte has a printable character that stands for it in a token.

The mapping is GPT-2's (Radford et al. 2019): printable Latin-1 bytes are themselves, the other 68
are the characters from U+0100 on, in order.
"""


def _alphabet() -> dict[int, str]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    shifted = {byte: chr(0x100 + i) for i, byte in enumerate(others)}
    return {byte: shifted.get(byte, chr(byte)) for byte in range(256)}


BYTE_OF = {character: byte for byte, character in _alphabet().items()}


class _Latin1(dict[int, int]):
    """Each character to the one that Latin-1 writes as its byte, and all others to one that it
    cannot write."""

    def __missing__(self, character: int) -> int:
        return 0xFFFF


_LATIN_1 = _Latin1({ord(character): byte for character, byte in BYTE_OF.items()})


def to_bytes(token: str) -> bytes:
    """The bytes of text that a byte-level token stands for. Raises ValueError for other tokens."""
    return token.translate(_LATIN_1).encode("latin-1")
