"""The tensors of a GGUF file as floats and as they are quantised; imports no torch.

Blocks of 32 values with a scale stay as they are: they are the kernels' groups. Knows
blocks; knows nothing of models.
"""

from collections.abc import Callable, Iterator

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.kernels.quantised import ROWS, Matrix, Quantised, can_pack
from hornbook.models.gguf.rotary import to_halves
from hornbook.models.place import no_numbers

BITS = {"Q4_0": 4, "Q4_1": 4, "Q8_0": 8}
"""Types that the kernels take, and of how many bits."""
_BLOCK_BYTES = {"Q4_0": 18, "Q4_1": 20, "Q8_0": 34}


def is_quantised(file: GGUFFile, name: str) -> bool:
    """Whether a tensor is a quantised matrix that the kernels take."""
    place = file.tensors[name]
    return place.kind in BITS and len(place.shape) == 2 and can_pack(*place.shape)


def is_mostly_quantised(file: GGUFFile) -> bool:
    """Whether most of a file's weights are such matrices."""
    sizes = {name: place.bytes for name, place in file.tensors.items()}
    quantised = sum(size for name, size in sizes.items() if is_quantised(file, name))
    return 2 * quantised > sum(sizes.values())


def matrix(
    file: GGUFFile, name: str, rows: slice = slice(None), heads: int | None = None
) -> Matrix:
    """Some rows of a quantised matrix; those of `heads` in our order, which mixes all of them."""
    outputs, inputs = file.tensors[name].shape
    count = len(range(outputs)[rows])
    return Matrix(count, inputs, BITS[file.tensors[name].kind], _parts(file, name, rows, heads))


def floats(file: GGUFFile, name: str) -> np.ndarray:
    """A tensor as float32, in the order in which it is stored.

    Raises HornbookError for a type that cannot be turned into floats.
    """
    place = file.tensors[name]
    found = _floats(file, name, file.read(name)).reshape(place.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(found.sum()) and not np.isfinite(found).all():
            raise no_numbers(file.path, name)
    return found


def row_reader(file: GGUFFile, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """Rows (R,) of a matrix as (R, K) float32: the file is mapped, and read when they are asked
    for."""
    stored, kind = file.read(name), file.tensors[name].kind
    _check_rows(file, name)
    if kind in BITS:
        return lambda rows: _quantised(stored[rows], kind).dequantised()
    return lambda rows: _floats(file, name, stored[rows])


def _floats(file: GGUFFile, name: str, stored: np.ndarray) -> np.ndarray:
    kind = file.tensors[name].kind
    plain = {"F32": np.float32, "F16": np.float16, "F64": np.float64}.get(kind)
    if plain is not None:
        return np.ascontiguousarray(stored).view(plain).astype(np.float32)
    import gguf

    try:
        with np.errstate(over="ignore", invalid="ignore"):  # who asked looks for what is none
            found: np.ndarray = gguf.dequantize(stored, gguf.GGMLQuantizationType[kind])
    except NotImplementedError:
        raise HornbookError(
            f"{file.path}: {name} is stored as {kind}, which cannot be turned into floats. "
            "Ask for the same model as F16, Q8_0, Q4_K or the like."
        ) from None
    return found


def _parts(file: GGUFFile, name: str, rows: slice, heads: int | None) -> Iterator[Quantised]:
    stored, kind = file.read(name)[rows], file.tensors[name].kind
    if heads is not None:
        stored = to_halves(stored, heads)
    for start in range(0, len(stored), ROWS):
        part = _quantised(stored[start : start + ROWS], kind)
        if not (np.isfinite(part.scale).all() and np.isfinite(part.offset).all()):
            raise no_numbers(file.path, name)
        yield part
    file.forget()


def _check_rows(file: GGUFFile, name: str) -> None:
    """Raises HornbookError for rows that are no numbers: the scales, where they are quantised."""
    stored, kind = file.read(name), file.tensors[name].kind
    if kind not in BITS:
        for start in range(0, len(stored), ROWS):
            if not np.isfinite(_floats(file, name, stored[start : start + ROWS])).all():
                raise no_numbers(file.path, name)
        return
    halves = stored.view(np.uint16).reshape(len(stored), -1, _BLOCK_BYTES[kind] // 2)
    # A half float whose exponent is all ones is NaN or infinite.
    for at in range(2 if kind == "Q4_1" else 1):
        if ((halves[..., at] & 0x7C00) == 0x7C00).any():
            raise no_numbers(file.path, name)


def _quantised(stored: np.ndarray, kind: str) -> Quantised:
    """(N, bytes) blocks as values, scales and offsets."""
    rows = len(stored)
    if kind == "Q8_0":  # float16 scale, 32 int8
        blocks = stored.reshape(rows, -1, 34)
        scale = _halves(blocks[..., :2])
        values = blocks[..., 2:] ^ 128  # int8 plus 128
        offset = -128 * scale
    else:  # float16 scale, for Q4_1 the offset as well, then 16 bytes of two values
        head = 4 if kind == "Q4_1" else 2
        blocks = stored.reshape(rows, -1, head + 16)
        scale = _halves(blocks[..., :2])
        offset = _halves(blocks[..., 2:4]) if kind == "Q4_1" else -8 * scale
        values = blocks[..., head:]
    return Quantised(np.ascontiguousarray(values).reshape(rows, -1), scale, offset)


def _halves(pairs: np.ndarray) -> np.ndarray:
    """float16 in two bytes each, as (N, blocks) float32."""
    return np.ascontiguousarray(pairs).view(np.float16)[..., 0].astype(np.float32)
