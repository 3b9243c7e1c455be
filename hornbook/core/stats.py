"""Intervals: how far a figure may be trusted. Plain functions on numbers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A value with the 95 % interval it was measured to."""

    value: float
    low: float
    high: float


def wilson(successes: int, trials: int) -> Estimate:
    """A proportion with Wilson's score interval (Wilson 1927), 95 %."""
    if trials == 0:
        return Estimate(math.nan, 0.0, 1.0)
    z = 1.959964
    share = successes / trials
    scale = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    # Rounding may lead a hair's breadth beyond what a share can be, or past the share itself.
    low, high = min(share, centre - half), max(share, centre + half)
    return Estimate(share, max(0.0, low), min(1.0, high))


def bootstrap_ratio(
    numerators: Sequence[float],
    denominators: Sequence[float],
    seed: int = 0,
    rounds: int = 2000,
) -> Estimate:
    """Σ numerators / Σ denominators with a percentile bootstrap over the pairs, 95 %.

    The corpus metrics of language models are such ratios (bits over bytes, a pair a document).
    """
    top, bottom = np.asarray(numerators, float), np.asarray(denominators, float)
    weights = np.random.default_rng(seed).multinomial(
        len(top), np.full(len(top), 1 / len(top)), size=rounds
    )
    ratios = (weights @ top) / (weights @ bottom)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Estimate(float(top.sum() / bottom.sum()), float(low), float(high))


def bootstrap_nested(
    groups: Sequence[tuple[Sequence[float], Sequence[float]]], seed: int = 0, rounds: int = 2000
) -> Estimate:
    """As `bootstrap_ratio` of all numerators and denominators, which come in groups that may differ
    as a whole, such as the seeds of a training: groups are drawn, and within each its pairs
    (Davison & Hinkley 1997, 3.8). Of one group alone the interval is that of its pairs.
    """
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=rounds)
    sums, totals = np.zeros((2, rounds)), np.zeros(2)
    for times, group in zip(drawn.T, groups, strict=True):
        pairs = np.asarray(group, float)
        count = pairs.shape[1]
        weights = random.multinomial(count, np.full(count, 1 / count), size=rounds)
        sums += times * (pairs @ weights.T)
        totals += pairs.sum(1)
    low, high = np.quantile(sums[0] / sums[1], [0.025, 0.975])
    return Estimate(float(totals[0] / totals[1]), float(low), float(high))
