"""Conversations packed into rows: several a row, none seeing another, loss on the answers only."""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from hornbook.batches.batch import IGNORE, Batch


class Example(NamedTuple):
    """One conversation: ids (N,) int and trained (N,) bool, True where the token is learned.
    number: by which what a teacher expects of it is found."""

    ids: np.ndarray
    trained: np.ndarray
    number: int = 0


def answered(prompt: Sequence[int], answer: Sequence[int]) -> Example:
    """Prompt and answer by their ids, of which the answer is learned."""
    ids = np.array([*prompt, *answer], np.int64)
    return Example(ids, np.arange(len(ids)) >= len(prompt))


class PackedConversations:
    """Batches of `rows` rows of `context` tokens; every example is seen exactly once an epoch.

    Examples that do not fit must be left out before. They are packed once; each epoch takes the
    rows in another order, which depends on (seed, epoch) only.
    """

    def __init__(
        self, examples: Sequence[Example], context: int, rows: int, seed: int, padding: int
    ) -> None:
        assert examples and all(fits(example, context) for example in examples)
        self.context, self.rows, self.seed, self.padding = context, rows, seed, padding
        self._packed = _first_fit(examples, context, seed)

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self._packed) // self.rows)

    def of(self, rows: int) -> "PackedConversations":
        """The same packed rows, so many a step."""
        other = copy.copy(self)
        other.rows = rows
        return other

    def batch(self, step: int) -> Batch:
        """The batch of optimiser step `step`; the last of an epoch may end in empty rows."""
        return stack(self.rows_of(step), self.context, self.padding)

    def rows_of(self, step: int) -> list[list[Example]]:
        """The examples of each row of that batch, in their order."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self._packed))
        chosen = [self._packed[i] for i in order[index * self.rows : (index + 1) * self.rows]]
        empty: list[list[Example]] = [[]] * (self.rows - len(chosen))
        return [*chosen, *empty]


def _first_fit(examples: Sequence[Example], context: int, seed: int) -> list[list[Example]]:
    """Examples in random order, each put into the first row that has room for it."""
    rows: list[list[Example]] = []
    room: list[int] = []
    for i in np.random.default_rng(seed).permutation(len(examples)).tolist():
        need = len(examples[i].ids) - 1
        at = next((r for r, free in enumerate(room) if free >= need), None)
        if at is None:
            rows.append([])
            room.append(context)
            at = len(rows) - 1
        rows[at].append(examples[i])
        room[at] -= need
    return rows


def fits(example: Example, context: int) -> bool:
    """Whether the example is trained somewhere and is no longer than a row."""
    return 1 < len(example.ids) <= context + 1 and bool(example.trained[1:].any())


def stack(rows: Sequence[Sequence[Example]], context: int, padding: int) -> Batch:
    """Put each row's examples side by side."""
    shape = (len(rows), context)
    tokens, targets = np.full(shape, padding, np.int64), np.full(shape, IGNORE, np.int64)
    segments, pos = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for r, row in enumerate(rows):
        at = 0
        for number, example in enumerate(row, start=1):
            part = slice(at, at + len(example.ids) - 1)
            tokens[r, part] = example.ids[:-1]
            targets[r, part] = np.where(example.trained[1:], example.ids[1:], IGNORE)
            segments[r, part] = number
            pos[r, part] = np.arange(len(example.ids) - 1)
            at = part.stop
    return Batch(*(torch.from_numpy(x) for x in (tokens, targets, pos, segments)))
