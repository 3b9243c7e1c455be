"""The tensors of a GGUF file as floats and as the codes that they are; imports no torch.

Knows types of tensors; knows nothing of models.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from hornbook import kernels as native
from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile, forget
from hornbook.kernels.codes import Codes, Form
from hornbook.kernels.quantised import ROWS, QuantisedMatrix, can_pack
from hornbook.models.gguf.blocks import FORMS, are_numbers, decode
from hornbook.models.gguf.sizes import EMBEDDING, HEAD
from hornbook.models.place import no_numbers

Order = Callable[[np.ndarray], np.ndarray]
Takes = Callable[[Form], bool]


def is_quantised(file: GGUFFile, name: str, takes: Takes = lambda form: True) -> bool:
    """Whether a tensor is a matrix in a form that the kernels have, and `takes` says yes to."""
    place = file.tensors[name]
    if place.kind not in FORMS or len(place.shape) < 2:
        return False
    ragged = name in (EMBEDDING, HEAD) and native.library() is not None
    return can_pack(*_flat(place.shape), ragged) and takes(FORMS[place.kind])


def is_mostly_quantised(file: GGUFFile, takes: Takes = lambda form: True) -> bool:
    """Whether most of a file's weights are such matrices."""
    sizes = {name: place.bytes for name, place in file.tensors.items()}
    quantised = sum(size for name, size in sizes.items() if is_quantised(file, name, takes))
    return 2 * quantised > sum(sizes.values())


def matrix(
    file: GGUFFile, name: str, rows: slice = slice(None), order: Order | None = None
) -> QuantisedMatrix:
    """Some rows of a matrix of codes, or of several one below the other. order: puts rows as they
    are stored into ours, which mixes all of them."""
    outputs, inputs = _flat(file.tensors[name].shape)
    count = len(range(outputs)[rows])
    return QuantisedMatrix(
        count, inputs, FORMS[file.tensors[name].kind], _parts(file, name, rows, order)
    )


def _flat(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a matrix, or of several one below the other."""
    return math.prod(shape[:-1]), shape[-1]


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
    stored, kind, mapped = file.read(name), file.tensors[name].kind, file.mapped(name)
    _check_rows(file, name)
    if kind not in FORMS:
        return lambda rows: _floats(file, name, stored[rows])

    def read(rows: np.ndarray) -> np.ndarray:
        found = decode(stored[rows], kind).dequantised()
        forget(mapped)  # the system keeps much more than the rows
        return found

    return read


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
            f"Ask for the same model as {_nearest(kind)}."
        ) from None
    return found


def _nearest(kind: str) -> str:
    """Of the types that the kernels read the one with about as many bits."""
    import gguf

    def bits(name: str) -> float:
        weights, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
        return 8 * size / weights

    return min(FORMS, key=lambda name: abs(bits(name) - bits(kind)))


def _parts(file: GGUFFile, name: str, rows: slice, order: Order | None) -> Iterator[Codes]:
    stored, kind = file.read(name), file.tensors[name].kind
    stored = stored.reshape(-1, stored.shape[-1])[rows]
    if order is not None:
        stored = order(stored)
    for start in range(0, len(stored), ROWS):
        part = stored[start : start + ROWS]
        if not are_numbers(part, kind):
            raise no_numbers(file.path, name)
        yield decode(part, kind)
        file.forget(name)


def _check_rows(file: GGUFFile, name: str) -> None:
    """Raises HornbookError for rows that are no numbers."""
    stored, kind = file.read(name), file.tensors[name].kind
    for start in range(0, len(stored), ROWS):
        rows = stored[start : start + ROWS]
        if kind in FORMS:
            right = are_numbers(rows, kind)
        else:
            right = bool(np.isfinite(_floats(file, name, rows)).all())
        if not right:
            raise no_numbers(file.path, name)
        file.forget(name)
