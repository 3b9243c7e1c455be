"""Pairs of sources and targets in batches of like lengths, every pair once an epoch.

The order depends on (seed, step) only, so a restarted run sees what it would have seen. Knows
token ids; knows nothing of text or models.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.batches.batch import IGNORE, PairBatch
from hornbook.nn.padding import padded

_POOL = 32
"""Batches whose pairs are drawn together and then sorted by length: more would waste less than the
tenth that is padding now, and put the same pairs together again and again."""


class EncodedPair(NamedTuple):
    """Token ids of one source and its target, without start and end."""

    source: np.ndarray
    target: np.ndarray


class PairBatches:
    """Batches of about `tokens` tokens, both sides and their padding counted.

    start, end: the ids before each target, and after each source and target.
    """

    def __init__(
        self, pairs: Sequence[EncodedPair], tokens: int, seed: int, start: int, end: int
    ) -> None:
        self.pairs, self.tokens, self.seed = pairs, tokens, seed
        self.start, self.end = start, end
        # What a pair takes: the end on one side, start or end on the other.
        self.lengths = np.array([(len(s) + 1, len(t) + 1) for s, t in pairs], np.int64)
        self._first_steps = [0]
        self._known: tuple[int, list[np.ndarray]] | None = None

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every pair is seen once."""
        return float(len(self._epoch(0)))

    def of(self, tokens: int) -> "PairBatches":
        """The same in batches of another size."""
        return PairBatches(self.pairs, tokens, self.seed, self.start, self.end)

    def batch(self, step: int) -> PairBatch:
        """The batch of optimiser step `step`, counted from 0."""
        epoch = 0
        while step >= self._end_of(epoch):
            epoch += 1
        rows = self._epoch(epoch)[step - self._first_steps[epoch]]
        return collate([self.pairs[row] for row in rows], self.start, self.end)

    def _end_of(self, epoch: int) -> int:
        """The first step after an epoch; epochs differ a little in their number of batches."""
        if epoch + 1 == len(self._first_steps):
            self._first_steps.append(self._first_steps[epoch] + len(self._epoch(epoch)))
        return self._first_steps[epoch + 1]

    def _epoch(self, epoch: int) -> list[np.ndarray]:
        """The pairs of each batch of an epoch, in its order."""
        if self._known is None or self._known[0] != epoch:
            generator = np.random.default_rng([self.seed, epoch])
            order = generator.permutation(len(self.pairs))
            mean = self.lengths.sum(1).mean()
            pool = max(1, int(_POOL * self.tokens / mean))
            pools = (order[start : start + pool] for start in range(0, len(order), pool))
            batches = [batch for rows in pools for batch in self._cut(rows)]
            self._known = epoch, [batches[i] for i in generator.permutation(len(batches))]
        return self._known[1]

    def _cut(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Sort pairs by their longer side and cut them where a batch is full."""
        rows = rows[self.lengths[rows].max(1).argsort(kind="stable")]
        lengths = self.lengths[rows]
        first, longest = 0, lengths[0]
        for i, length in enumerate(lengths):
            longest = np.maximum(longest, length)
            if i > first and (i + 1 - first) * longest.sum() > self.tokens:
                yield rows[first:i]
                first, longest = i, length
        yield rows[first:]


def collate(pairs: Sequence[EncodedPair], start: int, end: int) -> PairBatch:
    """Pairs as one rectangle a side: a source and its end; start and target; target and end."""
    source, source_valid = padded([np.append(pair.source, end) for pair in pairs], 0)
    tokens, _ = padded([np.insert(pair.target, 0, start) for pair in pairs], 0)
    targets, valid = padded([np.append(pair.target, end) for pair in pairs], 0)
    return PairBatch(source, source_valid, tokens, targets.where(valid, IGNORE))
