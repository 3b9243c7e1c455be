"""What a linear classifier chooses by held-out loss inside its training texts.

Three things: the learner's setting, how much weight hand-made features get beside TF-IDF, and the
sharpness that calibrates. Legend: N texts, F features, L classes.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from hornbook.baselines.feature_groups import FeatureGroup, Handmade, Matrix
from hornbook.baselines.learners import Learner, nats, sharpness

SHARES = (0.0, 0.03, 0.1, 0.3, 1.0)
"""Tried factors of the hand-made rows beside others. A few dense columns are penalised less than
thousands of sparse ones; where they say nothing of the classes they would drown them."""
_FIRST_SHARE = 0.1
"""With which the setting is chosen."""


class Hyperparameters(NamedTuple):
    """shares: the factor of each part's rows. sharpness: of the logits."""

    setting: float
    shares: tuple[float, ...]
    sharpness: float


def untuned(learner: Learner, parts: Sequence[FeatureGroup]) -> Hyperparameters:
    """What is taken where there is too little to choose by."""
    return Hyperparameters(learner.settings[len(learner.settings) // 2], _first_shares(parts), 1.0)


def tune(
    learner: Learner,
    parts: Sequence[FeatureGroup],
    raw: Sequence[Matrix],
    classes: np.ndarray,
    held_out: np.ndarray,
) -> Hyperparameters:
    """First the setting, then the shares with it; each by the least loss after calibration.

    raw: of each part, (N, F). classes: (N,), all of 0 to L - 1 among them. held_out: (N,) in which
    fold a text is held out. Both are found by going downhill from the middle, as losses have one
    valley: of equal losses the simplest setting wins.
    """
    first = _first_shares(parts)
    folds = _folds(parts, raw, held_out)

    @cache
    def measured(setting: float, shares: tuple[float, ...]) -> tuple[float, float]:
        return _measured(learner, folds, classes, setting, shares)

    setting = _downhill(
        learner.settings, len(learner.settings) // 2, lambda s: measured(s, first)[0]
    )
    shares = first
    if any(share != 1.0 for share in first):

        def with_share(share: float) -> tuple[float, ...]:
            return tuple(one if one == 1.0 else share for one in first)

        start = SHARES.index(_FIRST_SHARE)
        best = _downhill(SHARES, start, lambda share: measured(setting, with_share(share))[0])
        shares = with_share(best)
    return Hyperparameters(setting, shares, measured(setting, shares)[1])


def _downhill(values: Sequence[float], start: int, loss: Callable[[float], float]) -> float:
    """The value at the bottom of the valley that `start` lies in; of equal ones the first."""
    found = {start: loss(values[start])}

    def at(place: int) -> float:
        if not 0 <= place < len(values):
            return math.inf
        if place not in found:
            found[place] = loss(values[place])
        return found[place]

    place = start
    while at(place - 1) <= at(place):
        place -= 1
    while place >= start and at(place + 1) < at(place):
        place += 1
    return values[place]


def _first_shares(parts: Sequence[FeatureGroup]) -> tuple[float, ...]:
    mixed = len(parts) > 1
    return tuple(_FIRST_SHARE if mixed and isinstance(p, Handmade) else 1.0 for p in parts)


class _Fold(NamedTuple):
    """seen, unseen: (N,) places of rows to learn from and held out; the parts' blocks of each."""

    seen: np.ndarray
    unseen: np.ndarray
    training: list[Matrix]
    held: list[Matrix]


def _folds(
    parts: Sequence[FeatureGroup], raw: Sequence[Matrix], held_out: np.ndarray
) -> list[_Fold]:
    """Scales are learned anew in each fold, and once for all that is tried in it."""
    found = []
    for fold in np.unique(held_out):
        seen, unseen = np.flatnonzero(held_out != fold), np.flatnonzero(held_out == fold)
        scales = [part.learn(one[seen]) for part, one in zip(parts, raw, strict=True)]
        training, held = (blocks(parts, raw, scales, places) for places in (seen, unseen))
        found.append(_Fold(seen, unseen, training, held))
    return found


def _measured(
    learner: Learner,
    folds: Sequence[_Fold],
    classes: np.ndarray,
    setting: float,
    shares: tuple[float, ...],
) -> tuple[float, float]:
    """The loss on what is held out, and the sharpness with which it is least."""
    count = int(classes.max()) + 1
    logits = np.zeros((len(classes), count))
    for fold in folds:
        rows = side_by_side(fold.training, shares, len(fold.seen))
        linear = learner.learn(rows, classes[fold.seen], count, setting)
        held = side_by_side(fold.held, shares, len(fold.unseen))
        logits[fold.unseen] = linear.logits(held)
    sharp = sharpness(logits, classes)
    return nats(sharp * logits, classes), sharp


def blocks(
    parts: Sequence[FeatureGroup],
    raw: Sequence[Matrix],
    scales: Sequence[np.ndarray],
    places: np.ndarray,
) -> list[Matrix]:
    """Of each part the scaled rows in these places, in the columns that its scale leaves."""
    return [
        part.scaled(one[places], scale)[:, part.columns(scale)]
        for part, one, scale in zip(parts, raw, scales, strict=True)
    ]


def side_by_side(rows: Sequence[Matrix], shares: Sequence[float], count: int) -> Matrix:
    """(N, F) of the parts' rows times their shares; `count` is N, also where there is no part."""
    import scipy.sparse

    scaled = [one if share == 1.0 else one * share for one, share in zip(rows, shares, strict=True)]
    return scipy.sparse.hstack([scipy.sparse.csr_matrix((count, 0)), *scaled], format="csr")
