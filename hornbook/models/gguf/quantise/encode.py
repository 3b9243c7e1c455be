"""Matrices of floats as the bytes of a GGUF type, with or without the importance of columns.

What a type's codes can say is a format; which codes are chosen is ours: those of the least squared
error, weighted. Types without scales of scales are the library `gguf`'s where no importance is
given, byte for byte what others write.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from hornbook.core.threads import threads
from hornbook.models.gguf.quantise import codebook, pack
from hornbook.models.gguf.quantise.blocks import affine_blocks, blocks, own_affine, own_scale
from hornbook.models.gguf.quantise.search import WeightGroups, integers

_CHUNK = 2**16
"""Weights that are quantised together: with all that is computed of them they fit into the
second cache."""
_TRIED = 9
"""Scales that are tried. Twice as many lower the error by half a percent."""

_LEAST = np.float32(0.01)
"""The importance of a column that had none, of the mean."""


class _Type(NamedTuple):
    """group: weights that share a scale. encode: groups as bytes, a row a block."""

    group: int
    encode: Callable[[WeightGroups], np.ndarray]


def quantise(rows: np.ndarray, kind: str, importance: np.ndarray | None = None) -> np.ndarray:
    """A matrix (R, K) float32 as `kind`, the name of a GGUF type: (R, bytes) uint8.

    importance: how much the squared error of each column counts, (K,), none below zero. Blocks of
    the type must divide K, and its half floats hold the weights.
    """
    if importance is not None:
        importance = _steadied(importance)
    columns = rows.shape[-1]
    step = max(1, _CHUNK // columns)
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    with ThreadPoolExecutor(threads()) as pool:
        found = list(pool.map(lambda part: _encoded(part, kind, importance), parts))
    return np.concatenate(found)


def _steadied(importance: np.ndarray) -> np.ndarray:
    """Importance relative to its mean, and nowhere nothing: where all columns of a group had none,
    any codes would do, and a text that was looked at says little of a column it did not use."""
    mean = importance.mean()
    return (importance / mean if mean > 0 else np.zeros_like(importance)) + _LEAST


def _encoded(rows: np.ndarray, kind: str, importance: np.ndarray | None) -> np.ndarray:
    if kind in _OURS or (kind in _EITHER and importance is not None):
        type_ = _OURS[kind] if kind in _OURS else _EITHER[kind]
        made = type_.encode(WeightGroups(*_groups(rows, type_.group, importance)))
        return made.reshape(len(rows), -1)
    import gguf

    rows = np.ascontiguousarray(rows, np.float32)
    with np.errstate(all="ignore"):  # scales too small for a half float are zero there
        made = gguf.quantize(rows, gguf.GGMLQuantizationType[kind])
    return made.view(np.uint8).reshape(len(rows), -1)


def _groups(
    rows: np.ndarray, size: int, importance: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and how much their errors count, (size, groups) each.

    The error of a large weight counts more than that of a small one beside it: it is less often
    made good by others of its row.
    """
    x = np.ascontiguousarray(rows.reshape(-1, size).T, np.float32)
    weight = np.ones_like(x)
    if importance is not None:
        own = np.broadcast_to(importance, rows.shape).reshape(-1, size).T
        weight *= own
    return x, weight


def _around(code: int, count: int = _TRIED) -> list[float]:
    """What the largest weight is divided to, where `code` is the largest code."""
    past = code + (0.8 if code > 0 else -0.8)
    return [float(each) for each in np.linspace(0.85 * code, past, count)]


def _affine(group: int, top: int, most: int, bytes_of: Callable[..., np.ndarray]) -> _Type:
    tried = _around(top)
    return _Type(group, lambda g: bytes_of(affine_blocks(g, 256 // group, top, most, tried)))


def _symmetric(lowest: int, most: int, bytes_of: Callable[..., np.ndarray]) -> _Type:
    nearest, tried = integers(lowest, -lowest - 1), _around(lowest)
    return _Type(16, lambda g: bytes_of(blocks(g, 16, nearest, most, tried)))


def _own_symmetric(lowest: int, bytes_of: Callable[..., np.ndarray]) -> _Type:
    nearest, tried = integers(lowest, -lowest - 1), _around(lowest)

    def encode(groups: WeightGroups) -> np.ndarray:
        scale, values = own_scale(groups, nearest, tried)
        return bytes_of((scale,), (values - lowest).astype(np.uint8))

    return _Type(32, encode)


def _own_affine(top: int, bytes_of: Callable[..., np.ndarray]) -> _Type:
    tried = _around(top)

    def encode(groups: WeightGroups) -> np.ndarray:
        *halves, codes = own_affine(groups, top, tried)
        return bytes_of(halves, codes)

    return _Type(32, encode)


_LEVELS = [*_around(-127, 5), *_around(113, 5)]


def _iq4_nl(groups: WeightGroups) -> np.ndarray:
    scale, values = own_scale(groups, codebook.nearest, _LEVELS)
    return pack.fours((scale,), codebook.codes(values))


def _iq4_xs(groups: WeightGroups) -> np.ndarray:
    made = blocks(groups, 8, codebook.nearest, 31, _LEVELS)
    return pack.iq4_xs(made, codebook.codes(made.values))


_OURS = {
    "Q2_K": _affine(16, 3, 15, pack.q2_k),
    "Q3_K": _symmetric(-4, 31, pack.q3_k),
    "Q4_K": _affine(32, 15, 63, pack.q4_k),
    "Q5_K": _affine(32, 31, 63, pack.q5_k),
    "Q6_K": _symmetric(-32, 127, pack.q6_k),
    "IQ4_NL": _Type(32, _iq4_nl),
    "IQ4_XS": _Type(32, _iq4_xs),
}
_EITHER = {
    "Q4_0": _own_symmetric(-8, pack.fours),
    "Q5_0": _own_symmetric(-16, pack.fives),
    "Q4_1": _own_affine(15, pack.fours),
    "Q5_1": _own_affine(31, pack.fives),
}
"""Ours only where importance is given."""
