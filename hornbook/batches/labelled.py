"""Things with labels in batches, and texts among them; images are in `images.py`.

The order depends on (seed, step) only.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.nn.padding import padded


class LabelledBatch(NamedTuple):
    """inputs: (B, T) int64 tokens, (B, C, H, W) float32 pixels, or (B, D) float32 vectors.

    labels: (B,) int64. valid: (B, T) bool, True = a real token; None for what is no tokens. most:
    rows to be computed at once, where there is no room for more.
    """

    inputs: Tensor
    labels: Tensor
    valid: Tensor | None = None
    most: int | None = None

    def to(self, device: str) -> "LabelledBatch":
        """The same on another device."""
        valid = None if self.valid is None else self.valid.to(device)
        return LabelledBatch(self.inputs.to(device), self.labels.to(device), valid, self.most)

    def split(self, rows: int) -> Iterator["LabelledBatch"]:
        """The same work in pieces of at most `rows` rows."""
        rows = min(rows, self.most or rows)
        for start in range(0, len(self.labels), rows):
            part = slice(start, start + rows)
            valid = None if self.valid is None else self.valid[part]
            yield LabelledBatch(self.inputs[part], self.labels[part], valid)


class Shuffled:
    """Which examples a step sees: each of `count` once an epoch, in an order of (seed, epoch).

    arranged: makes the order (count,) of an epoch; any order if not given.
    """

    def __init__(
        self,
        count: int,
        rows: int,
        seed: int,
        arranged: Callable[[np.random.Generator], np.ndarray] | None = None,
    ) -> None:
        assert count > 0
        self.count, self.rows, self.seed, self._arranged = count, rows, seed, arranged
        self._known: tuple[int, np.ndarray] | None = None

    def indices(self, step: int) -> np.ndarray:
        """(rows,) int64; a batch may end one epoch and begin the next."""
        places = np.arange(step * self.rows, (step + 1) * self.rows)
        epochs, inside = np.divmod(places, self.count)
        return np.concatenate([self._order(e)[inside[epochs == e]] for e in np.unique(epochs)])

    def _order(self, epoch: int) -> np.ndarray:
        if self._known is None or self._known[0] != epoch:
            draw = np.random.default_rng([self.seed, epoch])
            order = self._arranged(draw) if self._arranged else draw.permutation(self.count)
            self._known = (epoch, order)
        return self._known[1]


class LengthBuckets:
    """As `Shuffled`, with examples of about one length in a batch, so that little of it is padding.

    lengths: (N,) of the examples. An epoch's order is sorted by length within pools of some
    batches, and the batches come in an order of their own. An epoch ends with its last example:
    one of its batches may be smaller than `rows`.
    """

    _POOL = 16
    """Batches: most of what padding costs is gone, and lengths still mix in an epoch."""

    def __init__(self, lengths: np.ndarray, rows: int, seed: int) -> None:
        assert len(lengths) > 0
        self.count, self.rows, self.seed, self._lengths = len(lengths), rows, seed, lengths
        self._known: tuple[int, list[np.ndarray]] | None = None

    @property
    def batches(self) -> int:
        """How many there are in an epoch."""
        return -(-self.count // self.rows)

    def indices(self, step: int) -> np.ndarray:
        """(rows,) int64, or fewer in one batch of an epoch."""
        epoch, place = divmod(step, self.batches)
        return self._epoch(epoch)[place]

    def _epoch(self, epoch: int) -> list[np.ndarray]:
        if self._known is None or self._known[0] != epoch:
            draw = np.random.default_rng([self.seed, epoch])
            order, pool = draw.permutation(self.count), self.rows * self._POOL
            pools = [order[start : start + pool] for start in range(0, self.count, pool)]
            sorted_ = np.concatenate(
                [p[np.argsort(self._lengths[p], kind="stable")] for p in pools]
            )
            parts = [sorted_[s : s + self.rows] for s in range(0, self.count, self.rows)]
            self._known = (epoch, [parts[i] for i in draw.permutation(len(parts))])
        return self._known[1]


class LabelledTexts:
    """Batches of `rows` token sequences with a label each, filled up to the longest.

    alike: texts of about one length share a batch, as `LengthBuckets` says. at_once: tokens,
    padding included, that there is room to compute at once.
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        labels: np.ndarray,
        rows: int,
        seed: int,
        padding: int,
        alike: bool = False,
        at_once: int | None = None,
    ) -> None:
        self.sequences, self.labels, self.padding = sequences, labels, padding
        self.at_once = at_once
        self._order: Shuffled | LengthBuckets
        if alike:
            lengths = np.array([len(ids) for ids in sequences], np.int64)
            self._order = LengthBuckets(lengths, rows, seed)
        else:
            self._order = Shuffled(len(sequences), rows, seed)

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every text is seen once."""
        if isinstance(self._order, LengthBuckets):
            return self._order.batches
        return self._order.count / self._order.rows

    def batch(self, step: int) -> LabelledBatch:
        """The batch of optimiser step `step`, counted from 0."""
        return self._take(self._order.indices(step))

    def in_order(self) -> Iterator[LabelledBatch]:
        """All texts once, as they come, for measuring."""
        for start in range(0, len(self.sequences), self._order.rows):
            yield self._take(np.arange(start, min(start + self._order.rows, len(self.sequences))))

    def _take(self, rows: np.ndarray) -> LabelledBatch:
        tokens, valid = padded([self.sequences[i] for i in rows], self.padding)
        most = max(1, self.at_once // tokens.shape[1]) if self.at_once else None
        return LabelledBatch(tokens, torch.from_numpy(self.labels[rows]), valid, most)


class LabelledVectors:
    """Batches of `rows` vectors of `inputs` (N, D) with a label (N,) each."""

    def __init__(self, inputs: Tensor, labels: np.ndarray, rows: int, seed: int) -> None:
        self.inputs, self.labels = inputs, torch.from_numpy(labels)
        self._order = Shuffled(len(labels), rows, seed)

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every vector is seen once."""
        return self._order.count / self._order.rows

    def batch(self, step: int) -> LabelledBatch:
        """The batch of optimiser step `step`, counted from 0."""
        rows = torch.from_numpy(self._order.indices(step))
        return LabelledBatch(self.inputs[rows], self.labels[rows])
