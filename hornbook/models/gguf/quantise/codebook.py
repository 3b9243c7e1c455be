"""The sixteen values that the codes of IQ4_NL and IQ4_XS stand for: closer near zero, where more
weights are."""

import numpy as np

VALUES = np.array(
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32
)
_FINENESS = 2
"""Parts of one: each half way between two values falls between two parts."""
_PLACES = np.arange(_FINENESS * VALUES[0], _FINENESS * VALUES[-1] + 1, dtype=np.float32)
_CODES = np.abs(
    ((_PLACES + 0.5) / _FINENESS)[:, None] - VALUES
).argmin(1).astype(np.uint8)  # fmt: skip


def nearest(q: np.ndarray) -> np.ndarray:
    """Turn numbers into the nearest of VALUES, in place."""
    q *= _FINENESS
    np.floor(q, out=q)
    np.clip(q, _PLACES[0], _PLACES[-1], out=q)
    q -= _PLACES[0]
    q[...] = VALUES[_CODES][q.astype(np.int16)]
    return q


def codes(values: np.ndarray) -> np.ndarray:
    """The codes of some of VALUES, uint8."""
    found: np.ndarray = _CODES[_FINENESS * (values.astype(np.int16) - int(VALUES[0]))]
    return found
