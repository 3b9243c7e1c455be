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


def to_bytes(token: str) -> bytes:
    """The bytes of text that a byte-level token stands for. Raises KeyError for other tokens."""
    return bytes(BYTE_OF[character] for character in token)
