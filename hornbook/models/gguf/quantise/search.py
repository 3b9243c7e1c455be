"""The scales of groups of weights: those with the least squared error, weighted.

A group's best scale is the least-squares one for its codes, and its best codes are those nearest
under its scale. So a few scales around the one that just holds the largest weight are tried, each
is made the least-squares one for its codes, and the best is kept. Sums over the codes tell how
good it is without a further pass.

Arrays are (n, G): the n weights of each of G groups, groups side by side, so that sums run over
long rows. float32 throughout. Knows groups; knows nothing of how codes are stored.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Nearest = Callable[[np.ndarray], np.ndarray]
"""Turns weights divided by their scale, in place, into the nearest values that codes stand for."""


class Affine(NamedTuple):
    """weight = scale * code + low, for each group. scale >= 0 and low <= 0, (G,)."""

    scale: np.ndarray
    low: np.ndarray


class Sums(NamedTuple):
    """Of a group's codes q, weighted: the sums of q, q * q and q * x, (G,) each."""

    q: np.ndarray
    qq: np.ndarray
    qx: np.ndarray


class WeightGroups:
    """Weights x and how much the error of each counts, both (n, G)."""

    def __init__(self, x: np.ndarray, weight: np.ndarray) -> None:
        self.x, self.weight = x, weight
        self.weighted = weight * x
        self.sum, self.sum_x = weight.sum(0), self.weighted.sum(0)
        self._codes, self._room = np.empty_like(x), np.empty_like(x)

    def codes(
        self, nearest: Nearest, scale: np.ndarray, low: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """The codes (n, G) for scale and low, zero where there is no scale. They last until the
        next are asked for."""
        q = np.subtract(self.x, low, out=self._codes)
        q *= ratio(np.ones_like(scale), scale)
        return nearest(q)

    def sums(self, q: np.ndarray) -> Sums:
        """The sums of some codes."""
        qw = np.multiply(q, self.weight, out=self._room)
        first = qw.sum(0)
        qw *= q
        second = qw.sum(0)
        return Sums(first, second, np.multiply(q, self.weighted, out=self._room).sum(0))

    def fit(self, sums: Sums) -> Affine:
        """The least-squares scale and low for codes, where none may be above zero."""
        determinant = self.sum * sums.qq - sums.q * sums.q
        scale = ratio(self.sum * sums.qx - self.sum_x * sums.q, determinant)
        low = ratio(sums.qq * self.sum_x - sums.q * sums.qx, determinant)
        alone = (scale <= 0) | (low > 0)
        scale = np.where(alone, np.maximum(ratio(sums.qx, sums.qq), 0), scale)
        low = np.where(alone, np.float32(0), low)
        mean = np.minimum(ratio(self.sum_x, self.sum), 0)  # where all codes are zero
        return Affine(scale, np.where(sums.qq == 0, mean, low))


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, and zero where that is no number."""
    found: np.ndarray = np.zeros_like(above)
    with np.errstate(over="ignore"):
        np.divide(above, below, out=found, where=below != 0)
    found[~np.isfinite(found)] = 0
    return found


def integers(lowest: int, highest: int) -> Nearest:
    """Codes that stand for themselves."""

    def nearest(q: np.ndarray) -> np.ndarray:
        np.rint(q, out=q)
        found: np.ndarray = np.clip(q, lowest, highest, out=q)
        return found

    return nearest


def affine(groups: WeightGroups, top: int, tried: Sequence[float]) -> Affine:
    """The scale and low of codes from 0 to `top`. tried: what the largest weight is divided to."""
    lowest = np.minimum(groups.x.min(0), 0)
    span = groups.x.max(0) - lowest
    nearest = integers(0, top)
    best, most = Affine(np.zeros_like(span), lowest), np.full_like(span, -np.inf)
    for each in tried:
        sums = groups.sums(groups.codes(nearest, span / np.float32(each), lowest))
        found = groups.fit(sums)
        explained = found.scale * sums.qx + found.low * groups.sum_x
        better = explained > most
        most = np.where(better, explained, most)
        best = Affine(*(np.where(better, a, b) for a, b in zip(found, best, strict=True)))
    return best


def symmetric(groups: WeightGroups, nearest: Nearest, tried: Sequence[float]) -> np.ndarray:
    """The scale (G,), of either sign, of codes without a low. tried: as for `affine`."""
    at = np.abs(groups.x).argmax(0)
    largest = np.take_along_axis(groups.x, at[None], 0)[0]
    best: np.ndarray = np.zeros_like(largest)
    most = np.zeros_like(largest)
    for each in tried:
        sums = groups.sums(groups.codes(nearest, largest / np.float32(each)))
        scale = ratio(sums.qx, sums.qq)
        explained = scale * sums.qx
        better = explained > most
        best, most = np.where(better, scale, best), np.where(better, explained, most)
    return best
