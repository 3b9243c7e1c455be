"""Whether the kernels of recurrent layers compute what is defined, and its gradients: few tokens,
against numpy in float64.

More tokens than a chunk has, in segments; sizes are no whole blocks. Gradients are tried along one
direction each. Some milliseconds.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbook.kernels.check_training import bfloats, floats
from hornbook.kernels.convolve import Convolved, convolve, convolve_back
from hornbook.kernels.library import Library
from hornbook.kernels.norms import GatedRows, norm_gated, norm_gated_back
from hornbook.kernels.recurrence import (
    Ruled,
    RuleSizes,
    Scanned,
    ScanSizes,
    rule,
    rule_back,
    scan,
    scan_back,
)

_TIME, _BORDERS = 70, (3, 66)
_CLOSE = 0.02
"""Of the norm: bfloats have eight bits."""
_STEP = 1e-4

Define = Callable[..., Any]
"""What is given, in float64, to what is expected."""


def recurrences_are_right(library: Library, threads: int | None) -> bool:
    """Whether so many threads (None: all) find what the definitions give."""
    tries = _scans, _rules, _convolves, _norms
    return all(is_right(library, threads) for is_right in tries)


def _scans(library: Library, threads: int | None) -> bool:
    draw = np.random.default_rng(5)
    sizes, begin = ScanSizes(heads=2, head=20, groups=1, state=36), _begin()
    mixed, dy = _drawn(draw, 1, _TIME, 40 + 72), _drawn(draw, 1, _TIME, 40)
    step, decay = draw.random((2, 1, _TIME, 2)).astype(np.float32)
    decay *= -np.float32(0.1)
    skip = draw.normal(0, 1, 2).astype(np.float32)
    scanned = Scanned(mixed, step, decay, skip, begin)
    y = scan(library, sizes, scanned, threads)
    found = scan_back(library, sizes, scanned, dy, threads)
    gradients = floats(found.mixed), found.step, found.decay, found.skip[0]

    def define(x: np.ndarray, step: np.ndarray, decay: np.ndarray, skip: np.ndarray) -> Any:
        value, write, read = np.split(x[0], (40, 76), axis=1)
        heads = value.reshape(_TIME, 2, 20).swapaxes(0, 1)
        left = _lasting(decay[0].T, begin[0])
        y = (left * (read @ write.T)) @ (step[0].T[..., None] * heads) + skip[:, None, None] * heads
        return y.swapaxes(0, 1).reshape(1, _TIME, 40)

    return _agree(define, (floats(mixed), step, decay, skip), floats(y), floats(dy), gradients)


def _rules(library: Library, threads: int | None) -> bool:
    draw = np.random.default_rng(6)
    sizes, begin = RuleSizes(heads=2, head=20, key_heads=1, key=36), _begin()
    mixed, dy = _drawn(draw, 1, _TIME, 72 + 40), _drawn(draw, 1, _TIME, 40)
    rate, decay = draw.random((2, 1, _TIME, 2)).astype(np.float32)
    decay *= -np.float32(0.1)
    ruled = Ruled(mixed, rate, decay, begin)
    y = rule(library, sizes, ruled, threads)
    found = rule_back(library, sizes, ruled, dy, threads)

    def define(x: np.ndarray, rate: np.ndarray, decay: np.ndarray) -> Any:
        query, key, value = np.split(x[0], (36, 72), axis=1)
        query, key = (
            each / np.sqrt(np.square(each).sum(1, keepdims=True)) for each in (query, key)
        )
        heads = value.reshape(_TIME, 2, 20).swapaxes(0, 1)
        left, by = _lasting(decay[0].T, begin[0]), rate[0].T[..., None]
        system = np.eye(_TIME) + np.tril(by * left * (key @ key.T), -1)
        y = (left * (query @ key.T) / 6) @ np.linalg.solve(system, by * heads)
        return y.swapaxes(0, 1).reshape(1, _TIME, 40)

    gradients = floats(found.mixed), found.rate, found.decay
    return _agree(define, (floats(mixed), rate, decay), floats(y), floats(dy), gradients)


def _convolves(library: Library, threads: int | None) -> bool:
    draw, begin = np.random.default_rng(7), _begin()
    x, dy = _drawn(draw, 1, _TIME, 80), _drawn(draw, 1, _TIME, 80)
    weight, bias = draw.normal(0, 1, (4, 80)), draw.normal(0, 1, 80)
    given = weight.astype(np.float32), bias.astype(np.float32)
    call = Convolved(x, *given, begin, active=True)
    y, (dx, dweight) = convolve(library, call, threads), convolve_back(library, call, dy, threads)
    far = np.arange(_TIME) - begin[0]

    def define(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> Any:
        z = np.broadcast_to(bias, x.shape).copy()
        for lag in range(4):
            z[:, lag:] += weight[3 - lag] * x[:, : _TIME - lag] * (far >= lag)[lag:, None]
        return z / (1 + np.exp(-z))

    gradients = floats(dx), dweight[0, :4], dweight[0, 4]
    return _agree(define, (floats(x), *given), floats(y), floats(dy), gradients)


def _norms(library: Library, threads: int | None) -> bool:
    return all(_norm_is_right(library, threads, before) for before in (True, False))


def _norm_is_right(library: Library, threads: int | None, before: bool) -> bool:
    draw = np.random.default_rng(8)
    x, gate, dy = (_drawn(draw, 1, 2, _TIME, 48) for _ in range(3))
    weight = draw.normal(0, 1, 96 if before else 48).astype(np.float32)
    rows = GatedRows(x, gate, weight, 0.1, before)
    y, found = norm_gated(library, rows, threads), norm_gated_back(library, rows, dy, threads)

    def define(x: np.ndarray, gate: np.ndarray, weight: np.ndarray) -> Any:
        by, whole = gate / (1 + np.exp(-gate)), weight.reshape(-1, 1, 48)
        z = x * by if before else x
        z = z / np.sqrt(np.square(z).mean(-1, keepdims=True) + 0.1) * whole
        return z if before else z * by

    gradients = floats(found[0]), floats(found[1]), found[2]
    return _agree(define, (floats(x), floats(gate), weight), floats(y), floats(dy), gradients)


def _agree(
    define: Define,
    given: Sequence[np.ndarray],
    y: np.ndarray,
    dy: np.ndarray,
    gradients: Sequence[np.ndarray],
) -> bool:
    """Whether y is what is defined of what is given, and the gradients are those of dy."""
    wide = [each.astype(np.float64) for each in given]
    expected = define(*wide)
    right = [np.linalg.norm(y - expected) < _CLOSE * np.linalg.norm(expected)]
    draw = np.random.default_rng(9)
    for i, gradient in enumerate(gradients):
        along = draw.normal(0, 1, gradient.shape)
        ends = [
            (dy * define(*wide[:i], wide[i] + sign * _STEP * along, *wide[i + 1 :])).sum()
            for sign in (1, -1)
        ]
        slope = (ends[0] - ends[1]) / (2 * _STEP)
        right.append(abs(slope - (gradient * along).sum()) < _CLOSE * np.linalg.norm(gradient))
    return bool(all(right))


def _lasting(decay: np.ndarray, begin: np.ndarray) -> np.ndarray:
    """(H, T, T): what is left at a token of what each before it wrote, of decay (H, T)."""
    total, places = decay.cumsum(1), np.arange(_TIME)
    seen = (places <= places[:, None]) & (places >= begin[:, None])
    found: np.ndarray = np.exp(np.where(seen, total[:, :, None] - total[:, None], -np.inf))
    return found


def _begin() -> np.ndarray:
    begin = np.zeros((1, _TIME), np.int32)
    for border in _BORDERS:
        begin[:, border:] = border
    return begin


def _drawn(draw: np.random.Generator, *shape: int) -> np.ndarray:
    return bfloats(draw.normal(0, 1, shape))
