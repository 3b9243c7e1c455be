"""One number after training: a temperature that makes a classifier as sure as it is right.

Temperature scaling (Guo et al. 2017): logits are divided by T > 0, which changes no ranking of
labels, and T is what makes held-out labels likeliest.
"""

import math

import numpy as np

_LEAST, _MOST = 1 / 64, 64.0
"""Of temperatures. What lies beyond says that the logits know nothing, or that all are right."""
_HALVINGS = 50


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature for logits (N, L) of held-out examples with labels (N,) int64.

    The loss is convex in 1 / T, so its slope is bisected. Where every example is right, the
    likeliest T is 0, and the model would be certain; so one doubt is left in all, in the manner of
    Platt (1999, 2.2): N examples are believed to (N + 1) / (N + 2), the rest spread over the other
    classes. The smaller the held-out part, the less sure that leaves the model. Platt counts by
    class, for he fits a bias besides; one number has none to shift with. Returns 1.0 without
    examples.
    """
    if len(labels) == 0:
        return 1.0
    z = logits.astype(np.float64)
    wanted = float((_targets(labels, z.shape[1]) * z).sum())

    def slope(sharpness: float) -> float:
        """Of the summed loss, by 1 / T."""
        return float((_softmax(sharpness * z) * z).sum()) - wanted

    low, high = math.log(1 / _MOST), math.log(1 / _LEAST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if slope(math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


def mean_loss(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0) -> float:
    """Nats an example that the labels cost at a temperature."""
    z = logits.astype(np.float64) / temperature
    z = z - z.max(1, keepdims=True)
    logs = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -float(logs[np.arange(len(labels)), labels].mean())


def _targets(labels: np.ndarray, count: int) -> np.ndarray:
    """(N, L), rows that sum to 1."""
    right = (len(labels) + 1) / (len(labels) + 2)
    found = np.full((len(labels), count), (1 - right) / (count - 1))
    found[np.arange(len(labels)), labels] = right
    return found


def _softmax(z: np.ndarray) -> np.ndarray:
    raised = np.exp(z - z.max(1, keepdims=True))
    softened: np.ndarray = raised / raised.sum(1, keepdims=True)
    return softened
