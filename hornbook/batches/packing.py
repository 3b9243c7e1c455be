"""Packing: the token stream cut into windows, every token a target exactly once an epoch.

The order depends on (seed, step) only, so a restarted run sees what it would have seen. Knows
token shards; knows nothing of models.
"""

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.shards import TokenShards


class PackedWindows:
    """Batches of `rows` windows of `context` tokens over all documents of `shards`.

    The stream is a circle: the token before the first is the last, which ends a document. Each
    epoch cuts the circle at other places (offset below `context`) and takes the windows in another
    order; its last window runs past the full turn and is trained up to there only. With
    `isolate`, documents in one window do not see each other and count positions anew.
    """

    def __init__(
        self, shards: TokenShards, context: int, rows: int, seed: int, isolate: bool = False
    ) -> None:
        self.shards, self.context, self.rows = shards, context, rows
        self.seed, self.isolate = seed, isolate
        self.windows = -(-shards.tokens // context)

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every token is a target once."""
        return self.windows / self.rows

    def of(self, rows: int) -> "PackedWindows":
        """The same in batches of another size."""
        return PackedWindows(self.shards, self.context, rows, self.seed, self.isolate)

    def batch(self, step: int) -> Batch:
        """The batch of optimiser step `step`, counted from 0."""
        first = step * self.rows
        rows = [self._window(row) for row in range(first, first + self.rows)]
        tokens, targets, starts = (
            torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True)
        )
        if self.isolate:
            return isolated(tokens, targets, starts)
        return Batch(tokens, targets, torch.arange(self.context)[None])

    def places(self, step: int) -> np.ndarray:
        """(rows, context) positions of the targets of a step in the stream; -1 where a window runs
        past the full turn."""
        found = np.empty((self.rows, self.context), np.int64)
        for i in range(self.rows):
            begin, offset = self._begin(step * self.rows + i)
            ahead = begin + np.arange(self.context)
            found[i] = np.where(
                ahead < self.shards.tokens, (offset + ahead) % self.shards.tokens, -1
            )
        return found

    def steps_of(self, positions: np.ndarray, steps: int) -> dict[int, int]:
        """The first `steps` steps that have some of these positions for targets, in order, and how
        many of them. positions: (N,) of the stream."""
        found: Counter[int] = Counter()
        for epoch in range(-(-steps * self.rows // self.windows)):
            order, offset = self._epoch(epoch)
            row_of = np.argsort(order)  # of each window, its turn
            windows = (positions - offset) % self.shards.tokens // self.context
            found.update(((epoch * self.windows + row_of[windows]) // self.rows).tolist())
        return {step: found[step] for step in sorted(found) if step < steps}

    def _begin(self, row: int) -> tuple[int, int]:
        """Where the row-th window begins on its epoch's circle, and where that was cut."""
        epoch, index = divmod(row, self.windows)
        order, offset = self._epoch(epoch)
        return int(order[index]) * self.context, offset

    def _window(self, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs, targets, and where a document starts, each (context,), for the row-th window."""
        begin, offset = self._begin(row)
        stream = self._circle(offset + begin - 1, self.context + 1)
        targets = stream[1:].copy()
        targets[max(0, self.shards.tokens - begin) :] = IGNORE
        return stream[:-1], targets, stream[:-1] == self.shards.eos

    def _epoch(self, epoch: int) -> tuple[np.ndarray, int]:
        """The order of an epoch's windows and the place where it cuts the circle."""
        if getattr(self, "_known", None) != epoch:
            generator = np.random.default_rng([self.seed, epoch])
            self._order = generator.permutation(self.windows)
            self._offset = int(generator.integers(self.context)) if epoch else 0
            self._known = epoch
        return self._order, self._offset

    def _circle(self, start: int, count: int) -> np.ndarray:
        """`count` tokens from position `start` of the circle, as int64."""
        total, parts = self.shards.tokens, []
        while count > 0:
            start %= total
            stop = min(start + count, total)
            parts.append(self.shards.read(start, stop))
            count, start = count - (stop - start), stop
        return np.concatenate(parts).astype(np.int64)


def isolated(tokens: Tensor, targets: Tensor, ends: Tensor) -> Batch:
    """A batch whose sequences do not see each other.

    ends: (B, T) bool, True where the input token ends a document: the tokens after it are another
    segment, whose first target is predicted from the end token alone.
    """
    segments = ends.long().cumsum(1)
    index = torch.arange(tokens.shape[1]).expand_as(tokens)
    start = torch.where(ends, index, 0).cummax(1).values
    return Batch(tokens, targets, index - start, segments)
