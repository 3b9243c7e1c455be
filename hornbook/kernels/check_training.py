"""Whether the kernels of training compute what is defined: few tokens, logits and weights, against
numpy.

Sizes are no whole blocks, heads share keys, and some keys are hidden. A few milliseconds.
"""

import numpy as np

from hornbook.kernels.attend import Looking, attend, attend_back
from hornbook.kernels.library import Library
from hornbook.kernels.loss import cross_entropy
from hornbook.kernels.muon import MovedMatrix, move
from hornbook.kernels.norms import Turned, gate, gate_back, turn, turn_back

_ROWS, _HEADS, _KV_HEADS, _TIME, _HEAD = 1, 2, 1, 35, 20
_VOCAB, _SMOOTHING, _CAP = 40, 0.1, 3.0
_CLOSE, _CLOSE_LOSS = 0.02, 1e-4
"""Of the largest number: bfloats have eight bits. Losses are summed in 32."""


def training_is_right(library: Library, threads: int | None) -> bool:
    """Whether so many threads (None: all) find what the definitions give."""
    tries = _attends, _judges, _turns, _gates, _moves
    return all(is_right(library, threads) for is_right in tries)


def _attends(library: Library, threads: int | None) -> bool:
    random = np.random.default_rng(0)
    queries, keys = (_ROWS, _HEADS, _TIME, _HEAD), (_ROWS, _KV_HEADS, _TIME, _HEAD)
    q, k, v, dy = (bfloats(random.normal(0, 1, s)) for s in (queries, keys, keys, queries))
    seen = random.random((_TIME, _TIME)) < 0.7
    np.fill_diagonal(seen, True)
    looking = Looking(q, k, v, seen, causal=True)
    y, sums = attend(library, looking, threads)
    found = y, *attend_back(library, looking, sums, dy, threads)
    seen = seen & np.tri(_TIME, dtype=bool)
    expected = _defined(floats(q), floats(k), floats(v), floats(dy), seen)
    return all(_near(floats(a), b, _CLOSE) for a, b in zip(found, expected, strict=True))


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
    logits = bfloats(random.normal(0, 3, (3, _VOCAB)))
    bias = random.normal(0, 1, _VOCAB).astype(np.float32)
    targets = np.array([2, -1, 0])
    z = _CAP * np.tanh((floats(logits) + bias) / _CAP)
    logs = z - np.log(np.exp(z).sum(1, keepdims=True))
    wanted = _SMOOTHING / _VOCAB + (1 - _SMOOTHING) * np.eye(_VOCAB)[targets]
    asked = (targets >= 0)[:, None]
    losses = cross_entropy(library, logits, targets, bias, _SMOOTHING, _CAP, threads)
    gradient = asked * (np.exp(logs) - wanted) * (1 - np.square(z / _CAP))
    return _near(losses, -(asked * wanted * logs).sum(1), _CLOSE_LOSS) and _near(
        floats(logits), gradient, _CLOSE
    )


def _turns(library: Library, threads: int | None) -> bool:
    random = np.random.default_rng(2)
    x, dy = random.normal(0, 1, (2, 1, 2, _TIME, 48)).astype(np.float32)
    weight = random.normal(0, 1, 48).astype(np.float32)
    cos, sin = random.normal(0, 1, (2, 1, _TIME, 16)).astype(np.float32)
    turned, slope = Turned(x, weight, 0.1, cos, sin), floats(bfloats(dy))
    found = turn(library, turned, threads), *turn_back(library, turned, bfloats(dy), threads)
    over = 1 / np.sqrt(np.square(x.astype(np.float64)).mean(-1, keepdims=True) + 0.1)
    slope = _rotated(slope, cos, -sin)
    along = over**3 * (slope * weight * x).mean(-1, keepdims=True)
    expected = (
        _rotated(x * over * weight, cos, sin),
        over * slope * weight - along * x,
        (slope * x * over).sum((0, 1, 2)),
    )
    assert found[2] is not None
    ours = floats(found[0]), found[1], found[2]
    return all(_near(a, b, _CLOSE) for a, b in zip(ours, expected, strict=True))


def _rotated(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    a, b, left = np.split(x, (16, 32), axis=-1)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin, left], -1)


def _gates(library: Library, threads: int | None) -> bool:
    gates, ups, dy = bfloats(np.random.default_rng(3).normal(0, 2, (3, 5, 16)))
    found = gate(library, gates, ups, threads), *gate_back(library, gates, ups, dy, threads)
    x, up, slope = map(floats, (gates, ups, dy))
    sigmoid = 1 / (1 + np.exp(-x))
    expected = x * sigmoid * up, slope * up * sigmoid * (1 + x * (1 - sigmoid)), slope * x * sigmoid
    return all(_near(floats(a), b, _CLOSE) for a, b in zip(found, expected, strict=True))


def _moves(library: Library, threads: int | None) -> bool:
    """A tall matrix and a wide one."""
    random = np.random.default_rng(4)
    cubic = np.array([[3.4, -4.8, 2], [1.2, -0.6, 0.4]], np.float32)
    for shape in ((40, 20), (20, 40)):
        weight, momentum, gradient = random.normal(0, 1, (3, *shape)).astype(np.float32)
        mean = 0.9 * momentum + 0.1 * gradient
        x = (0.1 * gradient + 0.9 * mean).astype(np.float64)
        x /= 1.02 * np.linalg.norm(x)
        for a, b, c in cubic:
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
        before = 0.5 * weight.astype(np.float64)
        moved = MovedMatrix(weight, momentum, gradient)
        move(library, [moved], cubic, momentum=0.9, kept=0.5, rate=0.3, threads=threads)
        by = -0.3 * np.sqrt(max(1, shape[0] / shape[1])) * x
        if not _near(weight - before, by, _CLOSE) or not _near(momentum, mean, _CLOSE_LOSS):
            return False
    return True


def _near(found: np.ndarray, expected: np.ndarray, share: float) -> bool:
    return bool(np.abs(found - expected).max() < share * np.abs(expected).max())


def bfloats(x: np.ndarray) -> np.ndarray:
    """The upper halves of floats, cut off: any bfloats do."""
    return (x.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def floats(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = (x.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return found
