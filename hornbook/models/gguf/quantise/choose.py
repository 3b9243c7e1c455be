"""Groups of weights as codes, and the scales of groups that share a unit as steps of one.

The largest scale of a unit says what the scales of its groups are steps of. Once all are steps,
what they are steps of is made the least-squares one, and the codes are chosen again.
"""

import numpy as np

from hornbook.kernels.codes import TABLE, Codes, Form
from hornbook.models.gguf.quantise.search import (
    Nearest,
    Sums,
    WeightGroups,
    affine,
    integers,
    ratio,
    symmetric,
)

_ROUNDS = 2
_TRIED = 9
"""Scales that are tried for a group. Twice as many lower the error by half a percent."""


def choose(groups: WeightGroups, form: Form, most: int) -> Codes:
    """The codes of a form with the least error, a unit a row. most: the largest step of a unit."""
    return _affine(groups, form, most) if form.offsets else _symmetric(groups, form, most)


def _affine(groups: WeightGroups, form: Form, most: int) -> Codes:
    top = 2**form.bits - 1
    nearest, found = integers(0, top), affine(groups, top, _around(top))
    if form.unit == form.group:
        scale, low = _half(found.scale), _half(found.low)
        codes = groups.codes(nearest, scale, low)
        return Codes(form, _rows(codes, 1), scale[:, None], low[:, None])
    count = form.unit // form.group
    scales, lows = found.scale.reshape(-1, count), -found.low.reshape(-1, count)
    scale, low = _step(scales, most), _step(lows, most)
    for _ in range(_ROUNDS):
        steps, low_steps = _steps(scales, scale, 0, most), _steps(lows, low, 0, most)
        sums = groups.sums(groups.codes(nearest, _spread(scale, steps), -_spread(low, low_steps)))
        found = groups.fit(sums)
        scales, lows = found.scale.reshape(-1, count), -found.low.reshape(-1, count)
        scale, low = _fit_both(groups, sums, (steps, low_steps), (scale, low))
    codes = groups.codes(nearest, _spread(scale, steps), -_spread(low, low_steps))
    stored = [each.astype(np.int8) for each in (steps, low_steps)]
    return Codes(form, _rows(codes, count), scale[:, None], -low[:, None], *stored)


def _symmetric(groups: WeightGroups, form: Form, most: int) -> Codes:
    lowest = -(2 ** (form.bits - 1))
    nearest = _of_table if form.table else integers(lowest, -lowest - 1)
    tried = _around(lowest)
    if form.table:
        tried = [*_around(int(TABLE[0]), 5), *_around(int(TABLE[-1]), 5)]
    found, count = symmetric(groups, nearest, tried), form.unit // form.group
    scale, steps = _half(found), None
    if count > 1:
        scale, steps = _in_steps(groups, nearest, found.reshape(-1, count), most)
    values = groups.codes(nearest, scale if steps is None else _spread(scale, steps))
    codes = _places(values) if form.table else values - np.float32(lowest)
    stored = None if steps is None else steps.astype(np.int8)
    return Codes(form, _rows(codes, count), scale[:, None], steps=stored)


def _in_steps(
    groups: WeightGroups, nearest: Nearest, found: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """The scales (B, count) of units as one each, and steps of it."""
    scale = _step(np.abs(found), most)
    for _ in range(_ROUNDS):
        steps = _steps(found, scale, -most - 1, most)
        sums = groups.sums(groups.codes(nearest, _spread(scale, steps)))
        found = ratio(sums.qx, sums.qq).reshape(steps.shape)
        scale = _fit(sums, steps, scale)
    return scale, steps


def _around(code: int, count: int = _TRIED) -> list[float]:
    """What the largest weight is divided to, where `code` is the largest code."""
    past = code + (0.8 if code > 0 else -0.8)
    return [float(each) for each in np.linspace(0.85 * code, past, count)]


def _fit(sums: Sums, steps: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The least-squares scale of each unit for its codes; as it was where there is none."""
    above = (steps * sums.qx.reshape(steps.shape)).sum(1)
    below = (steps * steps * sums.qq.reshape(steps.shape)).sum(1)
    return _better(ratio(above, below), scale)


def _fit_both(
    groups: WeightGroups,
    sums: Sums,
    steps: tuple[np.ndarray, np.ndarray],
    old: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """The same for scale and low, which are subtracted: two equations for each unit."""
    own, lows = steps
    shape = own.shape
    qq = (own * own * sums.qq.reshape(shape)).sum(1)
    mixed = (own * lows * sums.q.reshape(shape)).sum(1)
    ones = (lows * lows * groups.sum.reshape(shape)).sum(1)
    with_q = (own * sums.qx.reshape(shape)).sum(1)
    with_one = (lows * groups.sum_x.reshape(shape)).sum(1)
    determinant = qq * ones - mixed * mixed
    scale = ratio(with_q * ones - with_one * mixed, determinant)
    low = ratio(with_q * mixed - with_one * qq, determinant)
    scale = np.where(ones == 0, ratio(with_q, qq), scale)
    good = (scale > 0) & ((low > 0) | (ones == 0))
    return _better(scale * good, old[0]), _better(low * good, old[1])


def _step(scales: np.ndarray, most: int) -> np.ndarray:
    """What the scales (B, count) >= 0 of each unit are steps of, (B,)."""
    return _half(scales.max(1) / np.float32(most))


def _steps(scales: np.ndarray, step: np.ndarray, lowest: int, most: int) -> np.ndarray:
    """The scales in steps, (B, count) float32."""
    found: np.ndarray = scales * ratio(np.ones_like(step), step)[:, None]
    np.rint(found, out=found)
    return np.clip(found, lowest, most, out=found)


def _spread(step: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The scales (G,) that steps stand for."""
    found: np.ndarray = step[:, None] * steps
    return found.ravel()


_LEAST = np.float32(2.0**-24)
"""The smallest half float above zero."""


def _half(scale: np.ndarray) -> np.ndarray:
    """As a half float has it, and not zero where it is not."""
    rounded: np.ndarray = scale.astype(np.float16).astype(np.float32)
    return np.where((scale != 0) & (rounded == 0), np.sign(scale) * _LEAST, rounded)


def _better(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """The new scales where they are some."""
    return np.where(new > 0, _half(new), old)


def _rows(codes: np.ndarray, count: int) -> np.ndarray:
    """Codes (n, G) as rows of whole units, (B, count * n) uint8."""
    return codes.T.reshape(-1, count * len(codes)).astype(np.uint8)


_FINENESS = 2
"""Parts of one: each half way between two values of the table falls between two parts."""
_PARTS = np.arange(_FINENESS * int(TABLE[0]), _FINENESS * int(TABLE[-1]) + 1)
_PLACES = np.abs(((_PARTS + 0.5) / _FINENESS)[:, None] - TABLE).argmin(1).astype(np.uint8)
_NEAREST = TABLE[_PLACES].astype(np.float32)


def _of_table(q: np.ndarray) -> np.ndarray:
    """Turn numbers into the nearest ones of the table, in place."""
    q *= _FINENESS
    np.floor(q, out=q)
    np.clip(q, _PARTS[0], _PARTS[-1], out=q)
    q -= _PARTS[0]
    return np.take(_NEAREST, q.astype(np.int16), out=q)


def _places(values: np.ndarray) -> np.ndarray:
    """The places of values in the table."""
    found: np.ndarray = _PLACES[(_FINENESS * values - _PARTS[0]).astype(np.int16)]
    return found
