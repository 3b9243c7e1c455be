"""Whether the kernels of training compute what is defined: a few tokens and logits, against numpy.

Sizes are no whole blocks, heads share keys, and some keys are hidden. A fifth of a millisecond.
"""

import numpy as np

from hornbook.kernels.attend import Looking, attend, attend_back
from hornbook.kernels.library import Library
from hornbook.kernels.loss import cross_entropy

_ROWS, _HEADS, _KV_HEADS, _TIME, _HEAD = 1, 2, 1, 35, 20
_VOCAB, _SMOOTHING, _CAP = 40, 0.1, 3.0
_CLOSE, _CLOSE_LOSS = 0.02, 1e-4
"""Of the largest number: bfloats have eight bits. Losses are summed in 32."""


def training_is_right(library: Library, threads: int | None) -> bool:
    """Whether so many threads (None: all) find what the definitions give."""
    return _attends(library, threads) and _judges(library, threads)


def _attends(library: Library, threads: int | None) -> bool:
    random = np.random.default_rng(0)
    queries, keys = (_ROWS, _HEADS, _TIME, _HEAD), (_ROWS, _KV_HEADS, _TIME, _HEAD)
    q, k, v, dy = (_bfloats(random.normal(0, 1, s)) for s in (queries, keys, keys, queries))
    seen = random.random((_TIME, _TIME)) < 0.7
    np.fill_diagonal(seen, True)
    looking = Looking(q, k, v, seen, causal=True)
    y, sums = attend(library, looking, threads)
    found = y, *attend_back(library, looking, sums, dy, threads)
    seen = seen & np.tri(_TIME, dtype=bool)
    expected = _defined(_floats(q), _floats(k), _floats(v), _floats(dy), seen)
    return all(_near(_floats(a), b, _CLOSE) for a, b in zip(found, expected, strict=True))


def _defined(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, dy: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, ...]:
    """What queries gather, and the gradients of queries, keys and values, in float64."""
    scale = 1 / np.sqrt(_HEAD)
    scores = np.where(seen, scale * q @ k.swapaxes(2, 3), -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    slopes = dy @ v.swapaxes(2, 3)
    slopes = scale * shares * (slopes - (shares * slopes).sum(-1, keepdims=True))
    dk, dv = slopes.swapaxes(2, 3) @ q, shares.swapaxes(2, 3) @ dy
    return shares @ v, slopes @ k, dk.sum(1, keepdims=True), dv.sum(1, keepdims=True)


def _judges(library: Library, threads: int | None) -> bool:
    random = np.random.default_rng(1)
    logits = _bfloats(random.normal(0, 3, (3, _VOCAB)))
    bias = random.normal(0, 1, _VOCAB).astype(np.float32)
    targets = np.array([2, -1, 0])
    z = _CAP * np.tanh((_floats(logits) + bias) / _CAP)
    logs = z - np.log(np.exp(z).sum(1, keepdims=True))
    wanted = _SMOOTHING / _VOCAB + (1 - _SMOOTHING) * np.eye(_VOCAB)[targets]
    asked = (targets >= 0)[:, None]
    losses = cross_entropy(library, logits, targets, bias, _SMOOTHING, _CAP, threads)
    gradient = asked * (np.exp(logs) - wanted) * (1 - np.square(z / _CAP))
    return _near(losses, -(asked * wanted * logs).sum(1), _CLOSE_LOSS) and _near(
        _floats(logits), gradient, _CLOSE
    )


def _near(found: np.ndarray, expected: np.ndarray, share: float) -> bool:
    return bool(np.abs(found - expected).max() < share * np.abs(expected).max())


def _bfloats(x: np.ndarray) -> np.ndarray:
    """The upper halves of floats, cut off: any bfloats do."""
    return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def _floats(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = (x.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return found
