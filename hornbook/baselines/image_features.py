"""Features of images made by hand, histograms of oriented gradients (Dalal & Triggs 2005), and a
linear model on them: what a network that learns its own features has to beat.
"""

import math

import numpy as np

_BINS, _CELLS = 9, 7
"""Directions of a histogram, and cells of an image a side, about."""
_SMALLEST_CELL = 2


def oriented_gradients(pixels: np.ndarray) -> np.ndarray:
    """(N, F) float64 of images (N, H, W, C) uint8: in each cell how much the brightness changes in
    which of nine directions, each two neighbouring cells normalised together."""
    grey = pixels.astype(np.float64).mean(3) / 255
    down, right = np.gradient(grey, axis=(1, 2))
    strength, angle = np.hypot(down, right), np.arctan2(down, right) % math.pi
    # A direction between two of the nine counts for both.
    place = angle / math.pi * _BINS - 0.5
    lower = np.floor(place)
    share = place - lower
    size = max(_SMALLEST_CELL, min(grey.shape[1:]) // _CELLS)
    cells = np.stack(
        [
            _summed(
                strength
                * ((1 - share) * (lower % _BINS == one) + share * ((lower + 1) % _BINS == one)),
                size,
            )
            for one in range(_BINS)
        ],
        -1,
    )  # (N, rows, columns, 9)
    return _normalised(cells)


def _summed(values: np.ndarray, size: int) -> np.ndarray:
    """Sums over the whole cells of images (N, H, W)."""
    count, height, width = values.shape
    rows, columns = height // size, width // size
    whole = values[:, : rows * size, : columns * size]
    found: np.ndarray = whole.reshape(count, rows, size, columns, size).sum((2, 4))
    return found


def _normalised(cells: np.ndarray) -> np.ndarray:
    """Blocks of two by two cells, each of length 1, side by side; cells alone of smaller images."""
    count, rows, columns, _ = cells.shape
    if min(rows, columns) < 2:
        blocks = cells
    else:
        parts = [cells[:, i : rows - 1 + i, j : columns - 1 + j] for i in (0, 1) for j in (0, 1)]
        blocks = np.concatenate(parts, -1)
    length = np.sqrt(np.square(blocks).sum(-1, keepdims=True) + 1e-6)
    found: np.ndarray = (blocks / length).reshape(count, -1)
    return found


def linear_guesses(pixels: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(M,) the classes that a logistic regression on these features, learned from images with
    labels (N,), gives to other ones."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=10.0, max_iter=1000)
    model.fit(oriented_gradients(pixels), labels)
    found: np.ndarray = model.predict(oriented_gradients(others))
    return found
