"""Two kinds of findings told apart by a few signs, and a threshold between them.

Whether a question is answered in the documents is told by signs whose weights were fitted to
people's questions (benchmarks/answers.py: XQuAD, English and Chinese, each question with its
passage and without it). How large the signs are, and where the line is, differs between indexes:
that is found on questions made of the index's own sentences.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FALSE_REFUSALS = 0.05
"""Of the questions whose answer is there, how many may be refused."""
WORDS = (0.49, 0.63, 0.48, 0.05, 1.23)
VECTORS = (0.13, 0.38, 0.65, -0.52, 1.35, -0.15, 0.10, 1.03, 0.77)
"""Weights of signs in standard deviations: of words alone, and with those of vectors."""
_NATURAL = 1.0
"""Standard deviations by which vectors of people's questions are nearer to sentences than those of
made ones, whether the answer is there or not: words without grammar are far from any sentence.
Found on XQuAD (docs/log.md)."""
_RIDGE, _ROUNDS = 1.0, 50
"""Strength of the penalty on weights; steps of Newton's method."""
_FOLDS = 5


class Refusal(NamedTuple):
    """mean, spread: (F,) of the signs in this index. weights: (F,) of signs in standard deviations.

    threshold: the score below which a question is refused. false_refusals, false_answers: shares of
    the index's own questions that are judged wrongly. questions: how many there were; sentences: of
    how many they were made.
    """

    mean: list[float]
    spread: list[float]
    weights: list[float]
    threshold: float
    false_refusals: float
    false_answers: float
    questions: int
    sentences: int

    def score(self, signs: Sequence[float]) -> float:
        """Of what a question found: the larger, the likelier its answer is there."""
        values = (np.asarray(signs) - self.mean) / self.spread
        return float(values @ np.asarray(self.weights))


def settle_refusal(
    answered: np.ndarray,
    removed: np.ndarray,
    weights: Sequence[float] | None = None,
    sentences: int | None = None,
) -> Refusal:
    """answered, removed: (N, F) signs of the same questions, with their passage and without it.

    weights: of signs in standard deviations; None to fit them to these, in which case the rates are
    those of questions judged by weights fitted to others. sentences: of how many the questions were
    made; each of its own if not given.
    """
    mean, spread = scale(answered, removed)
    there, gone = ((side - mean) / spread for side in (answered, removed))
    if weights is None:
        scores, chosen = held_out_scores(there, gone), fitted_weights(there, gone)
    else:
        chosen = np.array(weights)
        scores = np.stack([there @ chosen, gone @ chosen])
    threshold = float(np.quantile(scores[0], FALSE_REFUSALS))
    return Refusal(
        mean.tolist(),
        spread.tolist(),
        chosen.tolist(),
        threshold,
        float((scores[0] < threshold).mean()),
        float((scores[1] >= threshold).mean()),
        len(answered),
        sentences or len(answered),
    )


def as_people_ask(refusal: Refusal) -> Refusal:
    """What was settled by made questions, for those of people, whose vectors are nearer to all
    sentences. Signs of words are left as they are."""
    words = len(WORDS)
    nearer = [0.0] * words + [_NATURAL * each for each in refusal.spread[words:]]
    mean = [one + more for one, more in zip(refusal.mean, nearer, strict=True)]
    return refusal._replace(mean=mean)


def scale(answered: np.ndarray, removed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (F,) of all signs, 1 where a sign is always the same."""
    both = np.concatenate([answered, removed])
    mean, spread = both.mean(0), both.std(0)
    return mean, np.where(spread == 0, 1.0, spread)


def held_out_scores(there: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """(2, N) scores of standardised signs (N, F), each by weights fitted to other questions."""
    folds = np.arange(len(there)) % min(_FOLDS, len(there))
    scores = np.zeros((2, len(there)))
    for fold in np.unique(folds):
        rest = folds != fold
        weights = fitted_weights(there[rest], gone[rest])
        for side, signs in enumerate((there, gone)):
            scores[side, ~rest] = signs[~rest] @ weights
    return scores


def fitted_weights(there: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """(F,) of a logistic regression of standardised signs, by Newton's method. It has no constant:
    both sides are of equal size, and the threshold is drawn afterwards."""
    x = np.concatenate([there, gone])
    y = np.repeat([1.0, 0.0], [len(there), len(gone)])
    weights = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        guessed = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (guessed - y) + _RIDGE * weights
        curve = (x * (guessed * (1 - guessed))[:, None]).T @ x + _RIDGE * np.eye(len(weights))
        step = np.linalg.solve(curve, slope)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights
