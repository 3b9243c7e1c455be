"""What a linear classifier chooses by held-out loss inside its training texts.

Three things: the learner's setting, how much weight hand-made features get beside TF-IDF, and the
sharpness that calibrates. Knows rows and classes; knows nothing of texts. Legend: N texts, F
features, L classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hornbook.baselines.learners import Learner, nats, sharpness
from hornbook.baselines.parts import Handmade, Matrix, Part

SHARES = (0.0, 0.03, 0.1, 0.3, 1.0)
"""Tried factors of the hand-made rows beside others. A few dense columns are penalised less than
thousands of sparse ones; where they say nothing of the classes they would drown them."""
_FIRST_SHARE = 0.1
"""With which the setting is chosen."""


class Choice(NamedTuple):
    """shares: the factor of each part's rows. sharpness: of the logits."""

    setting: float
    shares: tuple[float, ...]
    sharpness: float


Try = tuple[float, tuple[float, ...]]


def untuned(learner: Learner, parts: Sequence[Part]) -> Choice:
    """What is taken where there is too little to choose by."""
    return Choice(learner.settings[len(learner.settings) // 2], _first_shares(parts), 1.0)


def tune(
    learner: Learner,
    parts: Sequence[Part],
    raw: Sequence[Matrix],
    classes: np.ndarray,
    held_out: np.ndarray,
) -> Choice:
    """First the setting, then the shares with it; each by the least loss after calibration.

    raw: of each part, (N, F). classes: (N,), all of 0 to L - 1 among them. held_out: (N,) in which
    fold a text is held out. Of equal losses the first setting wins, the simplest.
    """
    first = _first_shares(parts)
    choice = _best(learner, parts, raw, classes, held_out, [(s, first) for s in learner.settings])
    if all(share == 1.0 for share in first):
        return choice
    tries = [
        (choice.setting, tuple(one if one == 1.0 else share for one in first)) for share in SHARES
    ]
    return _best(learner, parts, raw, classes, held_out, tries)


def _first_shares(parts: Sequence[Part]) -> tuple[float, ...]:
    mixed = len(parts) > 1
    return tuple(_FIRST_SHARE if mixed and isinstance(p, Handmade) else 1.0 for p in parts)


def _best(
    learner: Learner,
    parts: Sequence[Part],
    raw: Sequence[Matrix],
    classes: np.ndarray,
    held_out: np.ndarray,
    tries: Sequence[Try],
) -> Choice:
    count = int(classes.max()) + 1
    logits = np.zeros((len(tries), len(classes), count))
    for fold in np.unique(held_out):
        seen, unseen = np.flatnonzero(held_out != fold), np.flatnonzero(held_out == fold)
        scales = [part.learn(one[seen]) for part, one in zip(parts, raw, strict=True)]
        training, held = (blocks(parts, raw, scales, places) for places in (seen, unseen))
        for i, (setting, shares) in enumerate(tries):
            rows = side_by_side(training, shares, len(seen))
            linear = learner.learn(rows, classes[seen], count, setting)
            logits[i, unseen] = linear.logits(side_by_side(held, shares, len(unseen)))
    sharp = [sharpness(one, classes) for one in logits]
    losses = [nats(power * one, classes) for power, one in zip(sharp, logits, strict=True)]
    best = int(np.argmin(losses))
    return Choice(*tries[best], sharp[best])


def blocks(
    parts: Sequence[Part],
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
