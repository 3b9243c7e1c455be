"""Things with labels in batches, and texts among them; images are in `images.py`.

The order depends on (seed, step) only. Knows arrays; knows nothing of files, tokenizers or models.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.nn.padding import padded


class Labelled(NamedTuple):
    """inputs: (B, T) int64 tokens, or (B, C, H, W) float32 pixels. labels: (B,) int64.

    valid: (B, T) bool, True = a real token; None for images.
    """

    inputs: Tensor
    labels: Tensor
    valid: Tensor | None = None

    def to(self, device: str) -> "Labelled":
        """The same on another device."""
        valid = None if self.valid is None else self.valid.to(device)
        return Labelled(self.inputs.to(device), self.labels.to(device), valid)

    def split(self, rows: int) -> Iterator["Labelled"]:
        """The same work in pieces of at most `rows` rows."""
        for start in range(0, len(self.labels), rows):
            part = slice(start, start + rows)
            valid = None if self.valid is None else self.valid[part]
            yield Labelled(self.inputs[part], self.labels[part], valid)


class Shuffled:
    """Which examples a step sees: each of `count` once an epoch, in an order of (seed, epoch)."""

    def __init__(self, count: int, rows: int, seed: int) -> None:
        assert count > 0
        self.count, self.rows, self.seed = count, rows, seed
        self._known: tuple[int, np.ndarray] | None = None

    def indices(self, step: int) -> np.ndarray:
        """(rows,) int64; a batch may end one epoch and begin the next."""
        places = np.arange(step * self.rows, (step + 1) * self.rows)
        epochs, inside = np.divmod(places, self.count)
        return np.concatenate([self._order(e)[inside[epochs == e]] for e in np.unique(epochs)])

    def _order(self, epoch: int) -> np.ndarray:
        if self._known is None or self._known[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
            self._known = (epoch, order)
        return self._known[1]


class LabelledTexts:
    """Batches of `rows` token sequences with a label each, filled up to the longest."""

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        labels: np.ndarray,
        rows: int,
        seed: int,
        padding: int,
    ) -> None:
        self.sequences, self.labels, self.padding = sequences, labels, padding
        self._order = Shuffled(len(sequences), rows, seed)

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every text is seen once."""
        return self._order.count / self._order.rows

    def batch(self, step: int) -> Labelled:
        """The batch of optimiser step `step`, counted from 0."""
        return self._take(self._order.indices(step))

    def in_order(self) -> Iterator[Labelled]:
        """All texts once, as they come, for measuring."""
        for start in range(0, len(self.sequences), self._order.rows):
            yield self._take(np.arange(start, min(start + self._order.rows, len(self.sequences))))

    def _take(self, rows: np.ndarray) -> Labelled:
        tokens, valid = padded([self.sequences[i] for i in rows], self.padding)
        return Labelled(tokens, torch.from_numpy(self.labels[rows]), valid)
