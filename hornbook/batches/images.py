"""Images with labels in batches: normalised, and changed a little in training.

Order and changes depend on (seed, step) only.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from pydantic import Field

from hornbook.batches.labelled import LabelledBatch, Shuffled
from hornbook.core.config import Config


class Augment(Config):
    """shift: an image moves by up to so many pixels each way, zeros behind it. flip: left-right.

    In the few passes that minutes allow, moved images cost more than they teach (docs/log.md).
    """

    shift: int = Field(default=0, ge=0)
    flip: bool = True


class ImageBatches:
    """Batches of `rows` images with a label each, normalised.

    pixels: (N, H, W, C) uint8. mean, std: of each colour, on the scale 0 to 1. augment: what
    changes in training; None for images as they are.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        rows: int,
        seed: int,
        mean: Sequence[float],
        std: Sequence[float],
        augment: Augment | None = None,
    ) -> None:
        self.pixels, self.labels, self.augment, self.seed = pixels, labels, augment, seed
        self.mean, self.std = (torch.tensor(tuple(v))[:, None, None] for v in (mean, std))
        self._order = Shuffled(len(pixels), rows, seed)

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every image is seen once."""
        return self._order.count / self._order.rows

    def of(self, rows: int) -> "ImageBatches":
        """The same in batches of another size."""
        return self._with(self.pixels, self.labels, rows)

    def some(self, places: np.ndarray) -> "ImageBatches":
        """Those at these places."""
        return self._with(self.pixels[places], self.labels[places], self._order.rows)

    def _with(self, pixels: np.ndarray, labels: np.ndarray, rows: int) -> "ImageBatches":
        mean, std = self.mean.flatten().tolist(), self.std.flatten().tolist()
        return ImageBatches(pixels, labels, rows, self.seed, mean, std, self.augment)

    def batch(self, step: int) -> LabelledBatch:
        """The batch of optimiser step `step`, counted from 0."""
        rows = self._order.indices(step)
        pixels = self.pixels[rows]
        if self.augment is not None:
            pixels = changed(pixels, self.augment, np.random.default_rng([self.seed, step, 1]))
        return self._normalised(pixels, rows)

    def in_order(self) -> Iterator[LabelledBatch]:
        """All images once, as they are, for measuring."""
        for start in range(0, len(self.pixels), self._order.rows):
            rows = np.arange(start, min(start + self._order.rows, len(self.pixels)))
            yield self._normalised(self.pixels[rows], rows)

    def _normalised(self, pixels: np.ndarray, rows: np.ndarray) -> LabelledBatch:
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        images = ((images - self.mean) / self.std).contiguous()
        return LabelledBatch(images, torch.from_numpy(self.labels[rows]))


def changed(pixels: np.ndarray, augment: Augment, draw: np.random.Generator) -> np.ndarray:
    """pixels (B, H, W, C), each image shifted and flipped by chance."""
    count, height, width, _ = pixels.shape
    flipped = draw.random((count, 1, 1, 1)) < 0.5
    if augment.flip:
        pixels = np.where(flipped, pixels[:, :, ::-1], pixels)
    most = augment.shift
    frame = np.pad(pixels, ((0, 0), (most, most), (most, most), (0, 0)))
    down, right = draw.integers(0, 2 * most + 1, (2, count))
    ys = down[:, None, None] + np.arange(height)[None, :, None]
    xs = right[:, None, None] + np.arange(width)[None, None, :]
    shifted: np.ndarray = frame[np.arange(count)[:, None, None], ys, xs]
    return shifted


def pixel_statistics(pixels: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each colour of (N, H, W, C) uint8, on the scale 0 to 1.

    From counts of the 256 values, so that no float copy of the images is needed.
    """
    means, deviations = [], []
    for colour in range(pixels.shape[-1]):
        counts = np.bincount(pixels[..., colour].ravel(), minlength=256)
        values = np.arange(256) / 255
        mean = float((counts * values).sum() / counts.sum())
        variance = float((counts * (values - mean) ** 2).sum() / counts.sum())
        means.append(mean)
        deviations.append(max(variance, 1e-6) ** 0.5)
    return tuple(means), tuple(deviations)
