"""Labelled images as they are read, whatever the format."""

from typing import NamedTuple

import numpy as np


class LabelledImages(NamedTuple):
    """pixels: (N, H, W, C) uint8. labels: (N,) int64, places in `names`.

    rejected: a sentence for each image that could not be had, with its file and the reason.
    """

    pixels: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    rejected: tuple[str, ...] = ()
