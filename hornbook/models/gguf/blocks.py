"""The blocks of GGUF's quantised types: where their bytes lie, and the codes that they hold.

Each is a row of numpy's structured types, `BLOCKS`. Layouts are those of ggml-common.h. Knows
bytes; knows nothing of files and tensors.
"""

from collections.abc import Callable

import numpy as np

from hornbook.kernels.codes import BFLOATS, HALVES, Codes, Form


def _block(**fields: int) -> np.dtype:
    """Scales and offsets are half floats; of other fields the number of bytes is given."""
    return np.dtype(
        [(name, "u1", size) if size else (name, "<f2") for name, size in fields.items()]
    )


BLOCKS = {
    "Q4_0": _block(scale=0, four=16),
    "Q4_1": _block(scale=0, offset=0, four=16),
    "Q5_0": _block(scale=0, one=4, four=16),
    "Q5_1": _block(scale=0, offset=0, one=4, four=16),
    "Q8_0": _block(scale=0, eight=32),
    "IQ4_NL": _block(scale=0, four=16),
    "Q2_K": _block(steps=16, two=64, scale=0, offset=0),
    "Q3_K": _block(one=32, two=64, steps=12, scale=0),
    "Q4_K": _block(scale=0, offset=0, steps=12, four=128),
    "Q5_K": _block(scale=0, offset=0, steps=12, one=32, four=128),
    "Q6_K": _block(four=128, two=64, steps=16, scale=0),
    "IQ4_XS": _block(scale=0, upper_steps=2, steps=4, four=128),
}
"""four, two, one: bits of codes. steps: of the groups' scales and offsets."""

FORMS = {
    "Q4_0": Form(4),
    "Q4_1": Form(4, offsets=True),
    "Q5_0": Form(5),
    "Q5_1": Form(5, offsets=True),
    "Q8_0": Form(8),
    "IQ4_NL": Form(4, table=True),
    "Q2_K": Form(2, 16, 256, offsets=True),
    "Q3_K": Form(3, 16, 256),
    "Q4_K": Form(4, 32, 256, offsets=True),
    "Q5_K": Form(5, 32, 256, offsets=True),
    "Q6_K": Form(6, 16, 256),
    "IQ4_XS": Form(4, 32, 256, table=True),
    "F16": HALVES,
    "BF16": BFLOATS,
}
"""Types that are codes, and floats of 16 bits."""

_WIDTHS = {
    "Q2_K": {"two": 32},
    "Q3_K": {"two": 32, "one": 32},
    "Q4_K": {"four": 32},
    "Q5_K": {"four": 32, "one": 32},
    "Q6_K": {"four": 64, "two": 32},
}
"""Bytes side by side whose lowest bits are codes that follow each other; 16 elsewhere."""
_BITS = {"four": 4, "two": 2, "one": 1}
"""Lower bits of a code first."""


def decode(stored: np.ndarray, kind: str) -> Codes:
    """Rows (N, bytes) of a type in `FORMS` as codes."""
    if FORMS[kind].exponent:
        return Codes(FORMS[kind], np.ascontiguousarray(stored).view(np.uint16))
    blocks = np.ascontiguousarray(stored).view(BLOCKS[kind])
    form, rows = FORMS[kind], len(blocks)
    scale = blocks["scale"].astype(np.float32)
    offset = blocks["offset"].astype(np.float32) if form.offsets else None
    steps = offset_steps = None
    if kind in _STEPS:
        steps, offset_steps = (
            None if each is None else each.reshape(rows, -1) for each in _STEPS[kind](blocks)
        )
        offset = None if offset is None else -offset  # of these types it is taken away
    return Codes(form, _values(blocks, kind).reshape(rows, -1), scale, offset, steps, offset_steps)


def encode(codes: Codes, kind: str) -> np.ndarray:
    """Undo `decode`: codes as rows (N, bytes) of a type in `BLOCKS` but Q8_0. What is no half float
    is rounded to one."""
    rows, units = codes.scale.shape
    blocks = np.empty((rows, units), BLOCKS[kind])
    blocks["scale"] = codes.scale
    if codes.offset is not None:
        blocks["offset"] = codes.offset if codes.steps is None else -codes.offset
    if codes.steps is not None:
        groups = [
            None if each is None else each.reshape(rows, units, -1).view(np.uint8)
            for each in (codes.steps, codes.offset_steps)
        ]
        for name, part in _STORED_STEPS[kind](*groups).items():
            blocks[name] = part
    _store_values(blocks, codes.values.reshape(rows, units, -1), kind)
    return blocks.view(np.uint8).reshape(rows, -1)


def are_numbers(stored: np.ndarray, kind: str) -> bool:
    """Whether no weight of rows of a type in `FORMS` is NaN or infinite."""
    exponent = FORMS[kind].exponent or 5
    largest = 2**15 - 2 ** (15 - exponent)  # an exponent that is all ones
    whole = np.ascontiguousarray(stored)
    if kind in BLOCKS:
        blocks = whole.view(BLOCKS[kind])
        floats = [
            blocks[name].view(np.uint16) for name in ("scale", "offset") if name in _names(kind)
        ]
    else:
        floats = [whole.view(np.uint16)]
    return not any(((each & largest) == largest).any() for each in floats)


def split(packed: np.ndarray, bits: int, width: int) -> np.ndarray:
    """(..., B) bytes of 8 / bits codes each as (..., 8 B / bits): from `width` bytes their lowest
    bits, then their next ones, and so on; then from the next bytes."""
    lying = packed.reshape(*packed.shape[:-1], -1, width)
    found = np.empty((*lying.shape[:-1], 8 // bits, width), np.uint8)
    for i in range(8 // bits):
        np.bitwise_and(lying >> i * bits, 2**bits - 1, out=found[..., i, :])
    return found.reshape(*packed.shape[:-1], -1)


def merge(codes: np.ndarray, bits: int, width: int) -> np.ndarray:
    """Undo `split`."""
    parts = codes.reshape(*codes.shape[:-1], -1, 8 // bits, width)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    found: np.ndarray = np.bitwise_or.reduce(parts << shifts, -2)
    return found.reshape(*codes.shape[:-1], -1)


def _values(blocks: np.ndarray, kind: str) -> np.ndarray:
    if kind == "Q8_0":
        signed: np.ndarray = blocks["eight"] ^ 128
        return signed
    widths = _WIDTHS.get(kind, {})
    at, found = 0, np.empty(0, np.uint8)
    for name in (name for name in _BITS if name in _names(kind)):
        if name == "one" and name not in widths:  # the bits of a number, the lowest one first
            part = np.unpackbits(blocks[name], axis=-1, bitorder="little")
        else:
            part = split(blocks[name], _BITS[name], widths.get(name, 16))
        found = part if at == 0 else np.bitwise_or(found, part << at, out=found)
        at += _BITS[name]
    return found


def _store_values(blocks: np.ndarray, values: np.ndarray, kind: str) -> None:
    widths, at = _WIDTHS.get(kind, {}), 0
    for name in (name for name in _BITS if name in _names(kind)):
        part = values >> at & np.uint8(2 ** _BITS[name] - 1)
        if name == "one" and name not in widths:
            blocks[name] = np.packbits(part, axis=-1, bitorder="little")
        else:
            blocks[name] = merge(part, _BITS[name], widths.get(name, 16))
        at += _BITS[name]


def _names(kind: str) -> tuple[str, ...]:
    return BLOCKS[kind].names or ()


_Steps = tuple[np.ndarray, np.ndarray | None]


def _steps_of_two(blocks: np.ndarray) -> _Steps:
    both = blocks["steps"]
    return (both & 15).view(np.int8), (both >> 4).view(np.int8)


def _steps_of_three(blocks: np.ndarray) -> _Steps:
    lower = split(blocks["steps"][..., :8], 4, 8)
    upper = split(blocks["steps"][..., 8:], 2, 4)
    return (lower | upper << 4).view(np.int8) - np.int8(32), None


def _steps_with_offsets(blocks: np.ndarray) -> _Steps:
    """Six bits each: of the first four groups side by side, of the others in what is left over."""
    scales, offsets, rest = np.split(blocks["steps"], 3, -1)
    later = rest & 15 | scales >> 2 & 48, rest >> 4 | offsets >> 2 & 48
    pairs = zip((scales & 63, offsets & 63), later, strict=True)
    steps, offset_steps = (np.concatenate(pair, -1).view(np.int8) for pair in pairs)
    return steps, offset_steps


def _steps_of_six(blocks: np.ndarray) -> _Steps:
    return blocks["steps"].view(np.int8), None


def _steps_of_table(blocks: np.ndarray) -> _Steps:
    lower, upper = split(blocks["steps"], 4, 1), split(blocks["upper_steps"], 2, 1)
    return (lower | upper << 4).view(np.int8) - np.int8(32), None


_STEPS: dict[str, Callable[[np.ndarray], _Steps]] = {
    "Q2_K": _steps_of_two,
    "Q3_K": _steps_of_three,
    "Q4_K": _steps_with_offsets,
    "Q5_K": _steps_with_offsets,
    "Q6_K": _steps_of_six,
    "IQ4_XS": _steps_of_table,
}


def _store_two(steps: np.ndarray, offsets: np.ndarray) -> dict[str, np.ndarray]:
    return {"steps": steps | offsets << 4}


def _store_three(steps: np.ndarray, _: None) -> dict[str, np.ndarray]:
    own = steps + np.uint8(32)  # of int8, without a sign
    parts = merge(own & 15, 4, 8), merge(own >> 4, 2, 4)
    return {"steps": np.concatenate(parts, -1)}


def _store_with_offsets(steps: np.ndarray, offsets: np.ndarray) -> dict[str, np.ndarray]:
    first = [each[..., :4] | each[..., 4:] >> 4 << 6 for each in (steps, offsets)]
    rest = steps[..., 4:] & 15 | offsets[..., 4:] << 4
    return {"steps": np.concatenate([*first, rest], -1)}


def _store_six(steps: np.ndarray, _: None) -> dict[str, np.ndarray]:
    return {"steps": steps}


def _store_table(steps: np.ndarray, _: None) -> dict[str, np.ndarray]:
    own = steps + np.uint8(32)
    return {"steps": merge(own & 15, 4, 1), "upper_steps": merge(own >> 4, 2, 1)}


_STORED_STEPS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "Q2_K": _store_two,
    "Q3_K": _store_three,
    "Q4_K": _store_with_offsets,
    "Q5_K": _store_with_offsets,
    "Q6_K": _store_six,
    "IQ4_XS": _store_table,
}
