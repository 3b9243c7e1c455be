"""Ways to find the weights of a linear classifier, and the temperature that calibrates it.

A learner is `learn(rows, classes, count, setting) -> Linear`. Legend: N rows, F features, L
classes.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Linear(NamedTuple):
    """logits = rows @ weights.T + bias. weights: (L, F) float32, bias: (L,) float32."""

    weights: np.ndarray
    bias: np.ndarray

    def logits(self, rows: Any) -> np.ndarray:
        """(N, L) float64 of sparse rows (N, F)."""
        return np.asarray(rows @ self.weights.T.astype(np.float64)) + self.bias.astype(np.float64)


class Learner(NamedTuple):
    """settings: what is tried inside the training data, from the simplest on.

    The middle one is taken where there is too little to try any.
    """

    learn: Callable[[Any, np.ndarray, int, float], Linear]
    settings: tuple[float, ...]


_NEVER = -20.0
"""The logit of a class without an example: unlikely, and still a finite loss when it comes."""


_PASSES = 10
"""Over the rows: in the dual, what comes afterwards changes the last digits only."""


def prior(rows: Any, classes: np.ndarray, count: int, _: float) -> Linear:
    """How frequent each class is, whatever the row: the majority class wins always."""
    seen = np.bincount(classes, minlength=count)
    bias = np.where(seen > 0, np.log(np.maximum(seen, 1) / len(classes)), _NEVER)
    return Linear(np.zeros((count, rows.shape[1]), np.float32), bias.astype(np.float32))


def naive_bayes(rows: Any, classes: np.ndarray, count: int, smoothing: float) -> Linear:
    """Multinomial naive Bayes on counts (McCallum & Nigam 1998), Lidstone's smoothing."""
    if rows.shape[1] == 0:
        return prior(rows, classes, count, 0.0)
    member = (classes[:, None] == np.arange(count)).astype(np.float64)
    counts = np.asarray((rows.T @ member).T) + smoothing
    weights = np.log(counts) - np.log(counts.sum(1, keepdims=True))
    return Linear(weights.astype(np.float32), prior(rows, classes, count, 0.0).bias)


def logistic(rows: Any, classes: np.ndarray, count: int, strength: float) -> Linear:
    """Logistic regression with an L2 penalty; `strength` is 1 over its weight.

    Where there are more features than rows, as words are, each class against the rest, by
    coordinates of the dual (Yu et al. 2011): a fifth of the multinomial's time, and as good once
    calibrated (docs/log.md). A column of ones is the bias there. One thread computes: products of
    a few rows spend their time waiting for others.
    """
    if rows.shape[1] == 0:
        return prior(rows, classes, count, strength)
    from threadpoolctl import threadpool_limits

    full = Linear(np.zeros((count, rows.shape[1]), np.float32), np.full(count, _NEVER, np.float32))
    with threadpool_limits(1, "blas"), warnings.catch_warnings():
        # Weights a little short of the optimum are measured like any others.
        warnings.simplefilter("ignore", _convergence_warning())
        there = np.unique(classes)
        solve = _against_rest if rows.shape[1] > rows.shape[0] else _multinomial
        full.weights[there], full.bias[there] = solve(rows, classes, there, strength)
    return full


def _multinomial(
    rows: Any, classes: np.ndarray, there: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=1000).fit(rows, classes)
    weights, bias = model.coef_, model.intercept_
    return _both(weights[0], bias[0]) if len(there) == 2 else (weights, bias)


def _against_rest(
    rows: Any, classes: np.ndarray, there: np.ndarray, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=strength, solver="liblinear", dual=True, tol=1e-3, max_iter=_PASSES, random_state=0
    )
    found = []
    for one in there[1:] if len(there) == 2 else there:
        model.fit(rows, classes == one)
        found.append((model.coef_[0], float(model.intercept_[0])))
    if len(there) == 2:
        return _both(*found[0])
    return np.stack([weights for weights, _ in found]), np.array([bias for _, bias in found])


def _both(weights: np.ndarray, bias: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two classes from one: the sigmoid of z is the softmax of ±z/2."""
    return np.stack([-weights, weights]) / 2, np.array([-bias, bias]) / 2


def _convergence_warning() -> type[Warning]:
    from sklearn.exceptions import ConvergenceWarning

    found: type[Warning] = ConvergenceWarning
    return found


LEARNERS: dict[str, Learner] = {
    "prior": Learner(prior, (0.0,)),
    "naive_bayes": Learner(naive_bayes, (1.0, 0.3, 0.1, 0.03, 0.01)),
    "logistic": Learner(logistic, (1.0, 10.0, 100.0, 1000.0)),
}


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, L) float64 probabilities."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(1, keepdims=True)
    return shares


def nats(logits: np.ndarray, classes: np.ndarray) -> float:
    """The mean of -log p of the right classes."""
    shifted = logits - logits.max(1, keepdims=True)
    right = shifted[np.arange(len(classes)), classes]
    return float(np.mean(np.log(np.exp(shifted).sum(1)) - right))


def sharpness(logits: np.ndarray, classes: np.ndarray) -> float:
    """What logits are multiplied by for the least loss: 1 / temperature of Guo et al. 2017.

    logits: of rows that were not trained on. Between e^-4 and e^4; the likeliest class stays.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda power: nats(np.exp(power) * logits, classes), bounds=(-4, 4), method="bounded"
    )
    return float(np.exp(found.x))
