"""How good a classifier's probabilities are, and whether one classifier is better than another.

Every figure has a 95 % interval: Wilson's for shares, DeLong's for areas, a bootstrap over the
items for the rest. Legend: N items, L classes, R resamplings.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.stats import Estimate, wilson

BINS = 15
"""Of the calibration error, as Guo et al. 2017."""
_MOST_ROUNDS, _FEWEST_ROUNDS, _WORK = 2000, 200, 2e7
_LEAST = 1e-12
"""The least probability of a right class: a loss must be a number."""


def classification_scores(
    probabilities: np.ndarray, truth: np.ndarray, labels: Sequence[str], seed: int = 0
) -> dict[str, Estimate]:
    """All scores of (N, L) probabilities against (N,) class numbers.

    accuracy: share of items whose likeliest class is right (Wilson). macro_f1: mean F1 of the
    classes that were there or guessed. auc: area under the ROC curve, the mean over the classes
    that were there of each against the rest; of two classes both give the same. calibration_error:
    |confidence - accuracy|, weighted over 15 bins of confidence (Guo et al. 2017). log_loss: in
    nats. brier: squared error summed over classes, 0 to 2 (Brier 1950). What cannot be said, such
    as an AUC where all items have one class, is nan from 0 to 1.
    """
    shares, truth = _checked(probabilities, truth, len(labels))
    guesses = shares.argmax(1)
    right = guesses == truth
    table = confusion(guesses, truth, len(labels))
    per_item = np.stack([_losses(shares, truth), _squared(shares, truth)], 1)
    bins = _bin_sums(shares.max(1), right)
    drawn = np.concatenate([d @ np.hstack([per_item, bins]) for d in _resampled(len(truth), seed)])
    means, errors = drawn[:, :2] / len(truth), _calibration(drawn[:, 2:]) / len(truth)
    error = float(_calibration(bins.sum(0)[None])[0]) / len(truth)
    accuracy = wilson(int(right.sum()), len(truth))
    f1 = _percentile(float(_f1(table[None])[0]), _f1(_tables(table, seed)))
    return {
        "accuracy": accuracy,
        # Where all is right, every resampling is too, though the next item may not be.
        "macro_f1": f1._replace(low=accuracy.low) if right.all() else f1,
        "auc": _area(shares, truth),
        "calibration_error": _pivoted(error, errors),
        "log_loss": _percentile(float(per_item[:, 0].mean()), means[:, 0], math.inf),
        "brier": _percentile(float(per_item[:, 1].mean()), means[:, 1], 2.0),
    }


def confusion(guesses: np.ndarray, truth: np.ndarray, count: int) -> np.ndarray:
    """(L, L) int64: how many items of class i were taken for class j."""
    cells = np.bincount(truth * count + guesses, minlength=count * count)
    return cells.reshape(count, count).astype(np.int64)


class ClassScore(NamedTuple):
    """precision: of what was taken for this class. recall: of what was of it. items: of it."""

    precision: Estimate
    recall: Estimate
    f1: float
    items: int


def class_scores(table: np.ndarray, labels: Sequence[str]) -> dict[str, ClassScore]:
    """Of each class by its label, from a confusion table; shares of nothing are nan."""
    hits, guessed, there = table.diagonal(), table.sum(0), table.sum(1)
    return {
        label: ClassScore(
            wilson(int(hits[i]), int(guessed[i])),
            wilson(int(hits[i]), int(there[i])),
            float(2 * hits[i] / (guessed[i] + there[i])) if guessed[i] + there[i] else math.nan,
            int(there[i]),
        )
        for i, label in enumerate(labels)
    }


class Paired(NamedTuple):
    """Two classifiers on the same items; differences are the first's less the second's.

    only_one, only_other: items that one of them alone got right. exact, mid: two-sided p-values of
    McNemar's test on these, exact and mid-p (Fagerland et al. 2013, who advise mid-p). accuracy,
    log_loss: differences with a paired bootstrap.
    """

    only_one: int
    only_other: int
    exact: float
    mid: float
    accuracy: Estimate
    log_loss: Estimate


def paired(
    one: np.ndarray, other: np.ndarray, truth: np.ndarray, seed: int = 0, rounds: int = _MOST_ROUNDS
) -> Paired:
    """Compare (N, L) probabilities of two classifiers for the same items and classes."""
    one, truth = _checked(one, truth, one.shape[1])
    other, _ = _checked(other, truth, one.shape[1])
    first, second = one.argmax(1) == truth, other.argmax(1) == truth
    only_one, only_other = int((first & ~second).sum()), int((second & ~first).sum())
    exact, mid = mcnemar(only_one, only_other)
    gains = np.stack([first.astype(float) - second, _losses(one, truth) - _losses(other, truth)], 1)
    draws = _resampled(len(truth), seed, rounds)
    means = np.concatenate([draw @ gains for draw in draws]) / len(truth)
    accuracy, loss = gains.mean(0)
    return Paired(
        only_one,
        only_other,
        exact,
        mid,
        _percentile(float(accuracy), means[:, 0], 1.0),
        _percentile(float(loss), means[:, 1], math.inf),
    )


def mcnemar(only_one: int, only_other: int) -> tuple[float, float]:
    """Two-sided p-values, exact and mid-p, for counts of items that one alone got right."""
    from scipy.stats import binom

    count, fewer = only_one + only_other, min(only_one, only_other)
    if count == 0:
        return 1.0, 1.0
    tail, point = float(binom.cdf(fewer, count, 0.5)), float(binom.pmf(fewer, count, 0.5))
    exact = min(1.0, 2 * tail)
    return exact, 1 - point / 2 if only_one == only_other else 2 * tail - point


_SHOWABLE = 6
"""Items: with fewer, even all of them decided one way give no exact p-value below 5 %."""


def smallest_difference(
    items: int, accuracy: float, disagreement: float | None = None, power: float = 0.8
) -> float:
    """The least difference in accuracy that McNemar's test shows at 5 % with this power.

    items: of the test set. accuracy: expected of the better classifier. disagreement: the share of
    items that only one of the two gets right; by default that of classifiers whose mistakes have
    nothing to do with each other, which is the most to be expected: like classifiers disagree less,
    and smaller differences are then shown. Solves items = (z_0.975 √ψ + z_power √(ψ - d²))² / d²
    for d (Connor 1987, Biometrics 43, 207-211), ψ being the disagreement. 1 where none is shown.
    """
    from scipy.stats import norm

    significance, strength = float(norm.ppf(0.975)), float(norm.ppf(power))

    def needed(difference: float) -> float:
        worse = accuracy - difference
        psi = accuracy * (1 - worse) + worse * (1 - accuracy)
        psi = max(difference, psi if disagreement is None else disagreement)
        spread = math.sqrt(max(0.0, psi - difference**2))
        return ((significance * math.sqrt(psi) + strength * spread) / difference) ** 2

    low, high = 1e-9, max(accuracy, 1e-9)
    if items < _SHOWABLE or needed(high) > items:
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if needed(middle) > items else (low, middle)
    return high


def _checked(
    probabilities: np.ndarray, truth: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    shares, truth = np.asarray(probabilities, np.float64), np.asarray(truth, np.int64)
    assert len(truth) and shares.shape == (len(truth), count)
    assert np.isfinite(shares).all() and truth.min() >= 0 and truth.max() < count
    return shares, truth


def _resampled(items: int, seed: int, most: int = _MOST_ROUNDS) -> Iterator[np.ndarray]:
    """(R, N) how often each item was drawn, some resamplings at a time."""
    rounds = int(np.clip(_WORK / items, min(_FEWEST_ROUNDS, most), most))
    draw = np.random.default_rng(seed)
    at_once = max(1, int(2e6 / items))
    for start in range(0, rounds, at_once):
        size = min(at_once, rounds - start)
        places = draw.integers(0, items, (size, items)) + items * np.arange(size)[:, None]
        counts = np.bincount(places.ravel(), minlength=size * items)
        yield counts.reshape(size, items).astype(np.float64)


def _tables(table: np.ndarray, seed: int) -> np.ndarray:
    """(R, L, L): drawing items again is drawing cells of the confusion table again."""
    total, filled = int(table.sum()), np.flatnonzero(table)
    found = np.zeros((_MOST_ROUNDS, table.size))
    shares = table.ravel()[filled] / total
    found[:, filled] = np.random.default_rng(seed).multinomial(total, shares, _MOST_ROUNDS)
    return found.reshape(-1, *table.shape)


def _f1(tables: np.ndarray) -> np.ndarray:
    """(R,) the mean over classes that are there or guessed."""
    hits = tables.diagonal(axis1=1, axis2=2)
    both = tables.sum(1) + tables.sum(2)
    counted = both > 0
    return np.asarray((2 * hits / np.maximum(both, 1)).sum(1) / counted.sum(1))


def _losses(shares: np.ndarray, truth: np.ndarray) -> np.ndarray:
    return np.asarray(-np.log(np.maximum(shares[np.arange(len(truth)), truth], _LEAST)))


def _squared(shares: np.ndarray, truth: np.ndarray) -> np.ndarray:
    target = truth[:, None] == np.arange(shares.shape[1])
    return np.asarray(((shares - target) ** 2).sum(1))


def _bin_sums(sure: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(N, 2 * BINS): each item's confidence and 1 if it was right, in the columns of its bin."""
    place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    found = np.zeros((len(sure), 2, BINS))
    found[np.arange(len(sure)), 0, place] = sure
    found[np.arange(len(sure)), 1, place] = right
    return found.reshape(len(sure), -1)


def _calibration(sums: np.ndarray) -> np.ndarray:
    """(R,) of sums (R, 2 * BINS) over all items."""
    return np.asarray(np.abs(sums[:, :BINS] - sums[:, BINS:]).sum(1))


def _area(shares: np.ndarray, truth: np.ndarray) -> Estimate:
    """The mean AUC of the classes that are there, each against the rest.

    The interval is DeLong's (DeLong et al. 1988), the mean's variance being that of the items' mean
    influence, taken on the log-odds so that it stays within 0 and 1. Where every pair is in order
    the variance is 0 and says nothing: then it is Wilson's for the items of the rarer side.
    """
    classes = [c for c in range(shares.shape[1]) if 0 < (truth == c).sum() < len(truth)]
    if shares.shape[1] == 2:
        classes = classes[1:]  # the other's ranks are the same backwards, up to rounding
    if not classes:
        return Estimate(math.nan, 0.0, 1.0)
    found = [_influence(shares[:, c], truth == c) for c in classes]
    value = float(np.mean([area for area, _ in found]))
    error = float(np.sqrt((np.mean([part for _, part in found], 0) ** 2).sum()))
    if not 0 < value < 1 or error == 0:
        rarer = min(min(int((truth == c).sum()), int((truth != c).sum())) for c in classes)
        bounds = wilson(round(value * rarer), rarer)
        return Estimate(value, min(value, bounds.low), max(value, bounds.high))
    odds, half = math.log(value / (1 - value)), 1.959964 * error / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-max(-700.0, odds + sign * half))) for sign in (-1, 1))
    return Estimate(value, low, high)


def _influence(scores: np.ndarray, member: np.ndarray) -> tuple[float, np.ndarray]:
    """The AUC, and (N,) by how much each item moves it from its mean.

    An AUC is the share of pairs of a member and another item in which the member scores higher;
    ties count half (Mann & Whitney 1947).
    """
    inside, outside = np.sort(scores[member]), np.sort(scores[~member])

    def below(sorted_scores: np.ndarray, of: np.ndarray) -> np.ndarray:
        left, right = (np.searchsorted(sorted_scores, of, side) for side in ("left", "right"))
        return np.asarray((left + right) / (2 * len(sorted_scores)))

    wins = np.where(member, below(outside, scores), 1 - below(inside, scores))
    area = float(wins[member].mean())
    return area, (wins - area) / np.where(member, member.sum(), (~member).sum())


def _percentile(value: float, found: np.ndarray, most: float = 1.0) -> Estimate:
    """The middle 95 % of the resamplings."""
    known = found[~np.isnan(found)]
    if math.isnan(value) or not len(known):
        return Estimate(math.nan, 0.0, most)
    low, high = np.quantile(known, [0.025, 0.975])
    return Estimate(value, float(low), float(high))


def _pivoted(value: float, found: np.ndarray) -> Estimate:
    """The basic bootstrap (Davison & Hinkley 1997, 5.2.1), within 0 and 1.

    A calibration error is a sum of absolute values, so that every resampling is too high, and by
    as much as the value itself is: the interval is mirrored at the value.
    """
    low, high = 2 * value - np.quantile(found, [0.975, 0.025])
    return Estimate(value, float(max(0.0, min(low, value))), float(min(1.0, max(high, value))))
