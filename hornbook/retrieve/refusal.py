"""Whether a question is answered in the documents at all: a line drawn between signs.

Logistic regression on a few signs of what was found, fitted to questions whose answer is there and
to the same questions with their passage left out. Small, so that it is fitted for each index.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_RIDGE, _ROUNDS = 1.0, 50
"""Strength of the penalty on weights of standardised signs; steps of Newton's method, at most."""
_FOLDS = 5
FALSE_REFUSALS = 0.05
"""Of the questions whose answer is there, how many may be refused."""


class Refusal(NamedTuple):
    """Weights of standardised signs, and the score below which a question is refused.

    mean, spread, weights: (F,) each. false_refusals, false_answers: shares of the questions that it
    was fitted to, each judged by weights fitted to others. questions: how many there were.
    """

    mean: list[float]
    spread: list[float]
    weights: list[float]
    threshold: float
    false_refusals: float
    false_answers: float
    questions: int

    def score(self, signs: Sequence[float]) -> float:
        """Of what a question found: the larger, the likelier its answer is there."""
        values = (np.asarray(signs) - self.mean) / self.spread
        return float(values @ np.asarray(self.weights))


def fit_refusal(answered: np.ndarray, removed: np.ndarray) -> Refusal:
    """answered, removed: (N, F) signs of the same questions, with their passage and without it."""
    count = len(answered)
    held = np.zeros((2, count))
    folds = np.arange(count) % min(_FOLDS, count)
    for fold in np.unique(folds):
        rest = folds != fold
        mean, spread, weights = _fitted(answered[rest], removed[rest])
        for side, signs in enumerate((answered, removed)):
            held[side, ~rest] = (signs[~rest] - mean) / spread @ weights
    threshold = float(np.quantile(held[0], FALSE_REFUSALS))
    mean, spread, weights = _fitted(answered, removed)
    return Refusal(
        mean.tolist(),
        spread.tolist(),
        weights.tolist(),
        threshold,
        float((held[0] < threshold).mean()),
        float((held[1] >= threshold).mean()),
        count,
    )


def _fitted(answered: np.ndarray, removed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and spread of the signs, and weights (F,) by Newton's method. There is no constant: both
    sides are of equal size, and the threshold is drawn afterwards."""
    signs = np.concatenate([answered, removed])
    mean, spread = signs.mean(0), signs.std(0)
    spread[spread == 0] = 1.0
    x = (signs - mean) / spread
    y = np.repeat([1.0, 0.0], len(answered))
    weights = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        guessed = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (guessed - y) + _RIDGE * weights
        curve = (x * (guessed * (1 - guessed))[:, None]).T @ x + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return mean, spread, weights
