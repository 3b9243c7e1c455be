"""What is done to the bytes of valid files: bits, lengths, pieces, and the values of JSON."""

import json
import random
from typing import Any

EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)


def flipped(data: bytes, rng: random.Random) -> bytes:
    """One to four bits, mostly near the beginning, where headers are."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        found[_place(len(found), rng)] ^= 1 << rng.randrange(8)
    return bytes(found)


def replaced(data: bytes, rng: random.Random) -> bytes:
    """One to four bytes."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        found[_place(len(found), rng)] = rng.randrange(256)
    return bytes(found)


def truncated(data: bytes, rng: random.Random) -> bytes:
    """Cut short, or with something behind its end."""
    if rng.random() < 0.2:
        return data + rng.randbytes(rng.randint(1, 64))
    return data[: rng.randrange(len(data))]


def numbers(data: bytes, rng: random.Random) -> bytes:
    """A number of four or eight bytes becomes an extreme one."""
    found, size = bytearray(data), rng.choice((4, 8))
    at = _place(max(1, len(found) - size), rng)
    value = rng.choice(EXTREMES) % 2 ** (8 * size)
    found[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
    return bytes(found)


def spliced(data: bytes, rng: random.Random) -> bytes:
    """A piece comes twice, is missing, or stands elsewhere."""
    start = _place(len(data), rng)
    piece = data[start : start + rng.randint(1, 256)]
    rest = data[:start] + data[start + len(piece) :]
    match rng.randrange(3):
        case 0:
            return data[:start] + piece + data[start:]
        case 1:
            return rest
    at = _place(len(rest) + 1, rng)
    return rest[:at] + piece + rest[at:]


BYTES = {
    "flipped": flipped,
    "replaced": replaced,
    "truncated": truncated,
    "numbers": numbers,
    "spliced": spliced,
}
"""The mutators of any binary format."""


def _place(size: int, rng: random.Random) -> int:
    """Near the beginning in two of three."""
    return rng.randrange(min(size, 4096)) if rng.random() < 2 / 3 else rng.randrange(size)


_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 7, 2**31, 2**63, -(2**63), 10**30, 1e-38, 1e38, 1e308, -1.5,
    "", "a", "../../x", "\ud800", "\u0000", "\ue000", "a" * 100_000, [], {}, [[]], [0], ["a"],
    {"a": 1}, [None] * 1000,
)  # fmt: skip
_RAW = ("1e999", "-1e999", "NaN", "Infinity", "9" * 5000, "[" * 5000 + "]" * 5000, '"\\ud800"')
"""Values that no encoder writes."""
_MARK = "\u2063raw\u2063"


def json_values(data: bytes, rng: random.Random) -> bytes:
    """One to three values, keys or members of a JSON document."""
    value = json.loads(data)
    for _ in range(rng.randint(1, 3)):
        value = _changed(value, rng)
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    for mark in (json.dumps(_MARK), json.dumps(_MARK, ensure_ascii=False)):
        text = text.replace(mark, rng.choice(_RAW))
    return text.encode("utf-8", errors="surrogatepass")


def _changed(value: Any, rng: random.Random) -> Any:
    """The document with one node replaced; inner nodes in most cases."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        return _inside(value, rng)
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.5:
        return rng.choice((value + 1, value - 1, -value, 2 * value, value // 2, value * 1000))
    return rng.choice((*_VALUES, _MARK, _MARK))


def _inside(value: Any, rng: random.Random) -> Any:
    if isinstance(value, dict):
        key, found = rng.choice(list(value)), dict(value)
        match rng.randrange(8):
            case 0:
                del found[key]
            case 1:
                found[key + rng.choice("x_ ")] = found.pop(key)
            case 2:
                found[key] = value[rng.choice(list(value))]
            case _:
                found[key] = _changed(value[key], rng)
        return found
    at, items = rng.randrange(len(value)), list(value)
    match rng.randrange(8):
        case 0:
            del items[at]
        case 1:
            items.insert(at, items[rng.randrange(len(items))])
        case _:
            items[at] = _changed(items[at], rng)
    return items


def text_pieces(data: bytes, rng: random.Random) -> bytes:
    """A piece of a text file becomes another of its own, or a sign that means something."""
    match rng.randrange(3):
        case 0:
            return spliced(data, rng)
        case 1:
            return flipped(data, rng)
    at = rng.randrange(len(data) + 1)
    sign = rng.choice(("{", "}", "[", "]", '"', "\\", ",", ":", "\u2028", "\u0000", "-", "e9"))
    return data[:at] + sign.encode() * rng.choice((1, 1, 3, 3000)) + data[at:]


JSON = {"json_values": json_values, "json_again": json_values, "text_pieces": text_pieces}
"""The mutators of JSON files; values are changed in two of three."""
