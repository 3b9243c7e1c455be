"""Matrices of floats as the bytes of a GGUF type, with or without the importance of columns.

What a type's codes can say is a format; which codes are chosen is ours: those of the least squared
error, weighted. Types without scales of scales are the library `gguf`'s where no importance is
given, byte for byte what others write.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hornbook.core.threads import threads
from hornbook.models.gguf.blocks import FORMS, encode
from hornbook.models.gguf.quantise.choose import choose
from hornbook.models.gguf.quantise.search import WeightGroups

_CHUNK = 2**16
"""Weights that are quantised together: with all that is computed of them they fit into the
second cache."""
_LEAST = np.float32(0.01)
"""The importance of a column that had none, of the mean."""
_OURS = {"Q2_K": 15, "Q3_K": 31, "Q4_K": 63, "Q5_K": 63, "Q6_K": 127, "IQ4_NL": 0, "IQ4_XS": 31}
"""Types whose codes are chosen here, and the largest step of a scale, where scales have steps."""
EITHER = ("Q4_0", "Q4_1", "Q5_0", "Q5_1")
"""Types whose codes are chosen here where importance is given, be it the same for all columns."""


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
    if kind in _OURS or (kind in EITHER and importance is not None):
        groups = _groups(rows, FORMS[kind].group, importance)
        made = encode(choose(groups, FORMS[kind], _OURS.get(kind, 0)), kind)
        return made.reshape(len(rows), -1)
    import gguf

    rows = np.ascontiguousarray(rows, np.float32)
    with np.errstate(all="ignore"):  # scales too small for a half float are zero there
        made = gguf.quantize(rows, gguf.GGMLQuantizationType[kind])
    return made.view(np.uint8).reshape(len(rows), -1)


def _groups(rows: np.ndarray, size: int, importance: np.ndarray | None) -> WeightGroups:
    """The groups of `size` weights of some rows, and how much their errors count."""
    x = np.ascontiguousarray(rows.reshape(-1, size).T, np.float32)
    if importance is None:
        return WeightGroups(x, np.ones_like(x))
    counts = np.broadcast_to(importance, rows.shape).reshape(-1, size).T
    return WeightGroups(x, np.ascontiguousarray(counts, np.float32))
