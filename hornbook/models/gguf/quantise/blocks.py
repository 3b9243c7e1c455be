"""WeightGroups of weights as blocks: codes, and the scales of a block's groups as codes of their own.

The largest scale of a block says what the codes of its scales are multiples of. Once all are
codes, that multiple is made the least-squares one, and the weights' codes are found again.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hornbook.models.gguf.quantise.search import (
    Affine,
    Nearest,
    Sums,
    WeightGroups,
    affine,
    integers,
    ratio,
    symmetric,
)

_ROUNDS = 2


class AffineBlocks(NamedTuple):
    """weight = scale * scales * code - low * lows, by groups.

    scale, low: (B,) float16. scales, lows: (B, groups) uint8. codes: (B, 256) uint8.
    """

    scale: np.ndarray
    low: np.ndarray
    scales: np.ndarray
    lows: np.ndarray
    codes: np.ndarray


class Blocks(NamedTuple):
    """weight = scale * scales * value, by groups.

    scale: (B,) float16. scales: (B, groups) int8. values: (B, 256) int8, what codes stand for.
    """

    scale: np.ndarray
    scales: np.ndarray
    values: np.ndarray


def affine_blocks(
    groups: WeightGroups, count: int, top: int, most: int, tried: Sequence[float]
) -> AffineBlocks:
    """Blocks of `count` groups each: codes up to `top`, codes of scales up to `most`."""
    nearest, found = integers(0, top), affine(groups, top, tried)
    scale, low = _multiple(found.scale, count, most), _multiple(-found.low, count, most)
    for _ in range(_ROUNDS):
        scales = _multiples(found.scale, scale, count, 0, most)
        lows = _multiples(-found.low, low, count, 0, most)
        own = Affine(_spread(scale, scales), -_spread(low, lows))
        q = groups.codes(nearest, *own)
        sums = groups.sums(q)
        found = groups.fit(sums)
        # The multiples of the block that are best for all its codes together.
        scale, low = _both(groups, sums, scales, lows, scale, low)
    own = Affine(_spread(scale, scales), -_spread(low, lows))
    codes = _rows(groups.codes(nearest, *own), count)
    return AffineBlocks(
        scale.astype(np.float16),
        low.astype(np.float16),
        scales.astype(np.uint8),
        lows.astype(np.uint8),
        codes.astype(np.uint8),
    )


def blocks(
    groups: WeightGroups, count: int, nearest: Nearest, most: int, tried: Sequence[float]
) -> Blocks:
    """Blocks of `count` groups each: codes of scales from -most - 1 to `most`."""
    found = symmetric(groups, nearest, tried)
    scale = _multiple(np.abs(found), count, most)
    for _ in range(_ROUNDS):
        scales = _multiples(found, scale, count, -most - 1, most)
        sums = groups.sums(groups.codes(nearest, _spread(scale, scales)))
        found = ratio(sums.qx, sums.qq)
        own = scales.astype(np.float32)
        above = (own * sums.qx.reshape(own.shape)).sum(1)
        below = (own * own * sums.qq.reshape(own.shape)).sum(1)
        scale = _held(ratio(above, below), scale)
    values = _rows(groups.codes(nearest, _spread(scale, scales)), count)
    return Blocks(scale.astype(np.float16), scales.astype(np.int8), values)


def own_scale(
    groups: WeightGroups, nearest: Nearest, tried: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """A scale for each group, (G,) float16, and what the codes stand for, (G, n) int8."""
    scale = symmetric(groups, nearest, tried).astype(np.float16)
    return scale, _rows(groups.codes(nearest, scale.astype(np.float32)), 1)


def own_affine(
    groups: WeightGroups, top: int, tried: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A scale and a low for each group, (G,) float16, and codes up to `top`, (G, n) uint8."""
    scale, low = (own.astype(np.float16) for own in affine(groups, top, tried))
    own = Affine(scale.astype(np.float32), low.astype(np.float32))
    return scale, low, _rows(groups.codes(integers(0, top), *own), 1).astype(np.uint8)


_LEAST = np.float32(2.0**-24)
"""The smallest float16 above zero."""


def _both(
    groups: WeightGroups,
    sums: Sums,
    scales: np.ndarray,
    lows: np.ndarray,
    scale: np.ndarray,
    low: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The least-squares multiples of a block for its codes; as they were where there are none."""
    shape = scales.shape
    qq, mixed, ones = (
        (scales * scales * sums.qq.reshape(shape)).sum(1),
        (scales * lows * sums.q.reshape(shape)).sum(1),
        (lows * lows * groups.sum.reshape(shape)).sum(1),
    )
    with_q = (scales * sums.qx.reshape(shape)).sum(1)
    with_one = (lows * groups.sum_x.reshape(shape)).sum(1)
    determinant = qq * ones - mixed * mixed
    alone = ones == 0
    new_scale = ratio(with_q * ones - with_one * mixed, determinant)
    new_low = ratio(with_q * mixed - with_one * qq, determinant)
    new_scale = np.where(alone, ratio(with_q, qq), new_scale)
    bad = (new_scale <= 0) | ((new_low <= 0) & ~alone)
    return (
        _held(np.where(bad, 0, new_scale), scale),
        _held(np.where(bad, 0, new_low), low),
    )


def _multiple(scale: np.ndarray, count: int, most: int) -> np.ndarray:
    """What the scales (G,) >= 0 of each block are multiples of, (B,)."""
    return _half(scale.reshape(-1, count).max(1) / np.float32(most))


def _multiples(
    scale: np.ndarray, multiple: np.ndarray, count: int, lowest: int, most: int
) -> np.ndarray:
    """The scales as codes, (B, count)."""
    codes = scale.reshape(-1, count) * ratio(np.ones_like(multiple), multiple)[:, None]
    found: np.ndarray = np.clip(np.rint(codes), lowest, most)
    return found


def _spread(multiple: np.ndarray, codes: np.ndarray) -> np.ndarray:
    found: np.ndarray = multiple[:, None] * codes
    return found.ravel()


def _half(scale: np.ndarray) -> np.ndarray:
    """As a float16 has it, and not zero where it is not."""
    rounded: np.ndarray = scale.astype(np.float16).astype(np.float32)
    return np.where((scale > 0) & (rounded == 0), _LEAST, rounded)


def _held(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """The new scales where they are some."""
    return np.where(new > 0, _half(new), old)


def _rows(codes: np.ndarray, count: int) -> np.ndarray:
    """Codes (n, G) as rows of whole blocks (B, count * n)."""
    return codes.T.reshape(-1, count * len(codes)).astype(np.int8)
