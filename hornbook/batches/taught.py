"""What a student learns from its teacher: its data with what the teacher expects at each target,
and texts that it wrote itself.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.conversations import Example, PackedConversations, answered, stack


class Expected(NamedTuple):
    """What a teacher expects at N targets. ids: (N, K), its likeliest tokens. logs: (N, K + 1), the
    natural logarithms of their probabilities, and last that of all other tokens together."""

    ids: Tensor
    logs: Tensor


class TaughtBatch(NamedTuple):
    """given: rows of the data, with what is expected at their trained targets, row by row, None
    where no teacher was asked. written: rows that the student wrote, None where it wrote none;
    their targets are what it wrote."""

    given: Batch | None
    expected: Expected | None = None
    written: Batch | None = None

    def to(self, device: str) -> "TaughtBatch":
        """The same on another device."""
        given, expected, written = self
        return TaughtBatch(
            given and given.to(device),
            expected and Expected(expected.ids.to(device), expected.logs.to(device)),
            written and written.to(device),
        )

    def split(self, rows: int) -> Iterator["TaughtBatch"]:
        """The same work in pieces of at most `rows` rows; no piece holds rows of both kinds."""
        at = 0
        for given in self.given.split(rows) if self.given else ():
            count = int((given.targets != IGNORE).sum())
            there = self.expected
            part = there and Expected(*(one[at : at + count] for one in there))
            yield TaughtBatch(given, part)
            at += count
        for written in self.written.split(rows) if self.written else ():
            yield TaughtBatch(None, None, written)


Lookup = Callable[[int], tuple[np.ndarray, np.ndarray]]
"""By an example's number: ids and logs of its trained targets, as in `Expected`."""


class TaughtConversations:
    """Packed rows with what the teacher expects. lookup: None where there is no teacher."""

    def __init__(self, packed: PackedConversations, lookup: Lookup | None) -> None:
        self._packed, self._lookup = packed, lookup

    @property
    def steps_per_epoch(self) -> int:
        return self._packed.steps_per_epoch

    @property
    def padding(self) -> int:
        return self._packed.padding

    def of(self, rows: int) -> "TaughtConversations":
        """The same packed rows, so many a step."""
        other = copy.copy(self)
        other._packed = self._packed.of(rows)
        return other

    def batch(self, step: int, rows: int | None = None) -> TaughtBatch:
        """The batch of optimiser step `step`. rows: only so many of its rows, from the first."""
        chosen = self._packed.rows_of(step)[:rows]
        given = stack(chosen, self._packed.context, self._packed.padding)
        if self._lookup is None:
            return TaughtBatch(given)
        found = [self._lookup(one.number) for row in chosen for one in row]
        ids, logs = (np.concatenate(part) for part in zip(*found, strict=True))
        expected = Expected(
            torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(logs.astype(np.float32))
        )
        return TaughtBatch(given, expected)


class Beginnings:
    """Beginnings of examples, for a student to go on with: up to where an answer begins, or in a
    text up to any token that leaves room for so many `written` ones. context: tokens of both."""

    def __init__(self, examples: Sequence[Example], context: int, written: int) -> None:
        self._sizes = context, written
        self._examples = [one for one in examples if len(_cuts(one, *self._sizes))]

    def __len__(self) -> int:
        return len(self._examples)

    def draw(self, count: int, seed: Sequence[int]) -> list[list[int]]:
        """So many of them, with replacement, by a seed."""
        draws = np.random.default_rng(list(seed))
        found = []
        for place in draws.integers(len(self._examples), size=count).tolist():
            example = self._examples[place]
            found.append(example.ids[: draws.choice(_cuts(example, *self._sizes))].tolist())
        return found

    def each(self, seed: Sequence[int], count: int) -> list[list[int]]:
        """One of each of the first examples, in their order."""
        draws, some = np.random.default_rng(list(seed)), self._examples[:count]
        return [one.ids[: draws.choice(_cuts(one, *self._sizes))].tolist() for one in some]


def _cuts(example: Example, context: int, written: int) -> np.ndarray:
    """Lengths of beginnings: where a trained token follows one that is not, or any where all but
    the first are trained."""
    whole = bool(example.trained[1:].all())
    trained = example.trained[1 : 1 + context - (written if whole else 1)]
    starts = trained if whole else trained & ~example.trained[: len(trained)]
    found: np.ndarray = np.flatnonzero(starts) + 1
    return found


def written_rows(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], padding: int
) -> Batch:
    """A row for each text that a student wrote: what it wrote after each prompt are the targets."""
    examples = [answered(*pair) for pair in zip(prompts, answers, strict=True)]
    longest = max(len(one.ids) for one in examples) - 1
    return stack([[one] for one in examples], longest, padding)
