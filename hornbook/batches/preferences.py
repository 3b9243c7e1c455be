"""Preferences: a preferred answer and another to the same prompt, with what a reference thinks."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.batches.batch import Batch
from hornbook.batches.conversations import Example, stack


class PreferencePair(NamedTuple):
    """The same conversation with a preferred last answer and with another one."""

    chosen: Example
    rejected: Example


class PreferenceBatch(NamedTuple):
    """chosen, rejected: batches of B rows, row by row of one pair.

    reference: (B, 2) float32, the log-probability in nats that the reference model gives to the
    trained tokens of each answer, the chosen one first.
    """

    chosen: Batch
    rejected: Batch
    reference: Tensor

    def to(self, device: str) -> "PreferenceBatch":
        """The same on another device."""
        return PreferenceBatch(
            self.chosen.to(device), self.rejected.to(device), self.reference.to(device)
        )

    def split(self, rows: int) -> Iterator["PreferenceBatch"]:
        """The same work in pieces of at most `rows` pairs."""
        parts = zip(self.chosen.split(rows), self.rejected.split(rows), strict=True)
        for at, (chosen, rejected) in enumerate(parts):
            yield PreferenceBatch(chosen, rejected, self.reference[at * rows : (at + 1) * rows])


class PreferencePairs:
    """Batches of `rows` pairs; every pair is seen exactly once an epoch, in an order that depends
    on (seed, epoch) only.

    reference: what it thinks of a pair, (2,) float32 as in `PreferenceBatch`; asked once for each
    pair, when it is first needed.
    """

    def __init__(
        self,
        pairs: Sequence[PreferencePair],
        reference: Callable[[PreferencePair], Tensor],
        rows: int,
        seed: int,
        padding: int,
    ) -> None:
        assert pairs
        self.pairs, self._reference = pairs, reference
        self._judged: dict[int, Tensor] = {}
        self.rows, self.seed, self.padding = rows, seed, padding

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.pairs) // self.rows)

    def batch(self, step: int) -> PreferenceBatch:
        """The batch of optimiser step `step`; the last of an epoch may be smaller."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pairs))
        return self.take(order[index * self.rows : (index + 1) * self.rows].tolist())

    def take(self, places: Sequence[int]) -> PreferenceBatch:
        """Chosen pairs as a batch, as wide as the longest answer needs."""
        pairs = [self.pairs[i] for i in places]
        longest = max(len(example.ids) for pair in pairs for example in pair) - 1
        sides = ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
        chosen, rejected = (stack([[e] for e in side], longest, self.padding) for side in sides)
        return PreferenceBatch(chosen, rejected, torch.stack([self._of(i) for i in places]))

    def of(self, rows: int) -> "PreferencePairs":
        """The same pairs in batches of another size; the reference is asked once for both."""
        other = copy.copy(self)
        other.rows = rows
        return other

    def judge(self) -> None:
        """Ask the reference about all pairs now."""
        for i in range(len(self.pairs)):
            self._of(i)

    def _of(self, place: int) -> Tensor:
        if place not in self._judged:
            self._judged[place] = self._reference(self.pairs[place])
        return self._judged[place]
