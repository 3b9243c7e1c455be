"""Questions with the passages that answer them, in batches for contrastive learning.

Two kinds: both sides apart, each question told from the passages of the others; or a question
beside one passage in a sequence, the right one of each among some that are wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.batches.labelled import Shuffled
from hornbook.nn.padding import padded
from hornbook.tokenize.sequences import PairSequence


class QuestionBatch(NamedTuple):
    """Row i of both sides belongs together; the other passages are what it is told from.

    questions, passages: (B, Q) and (B, P) int64 tokens, with `_valid` True = a real one. numbers:
    (B,) int64 of the passages, so that one that comes twice is not told from itself.
    """

    questions: Tensor
    questions_valid: Tensor
    passages: Tensor
    passages_valid: Tensor
    numbers: Tensor

    @property
    def divisible(self) -> bool:
        """Smaller pieces would be other work."""
        return False

    def to(self, device: str) -> "QuestionBatch":
        """The same on another device."""
        return QuestionBatch(*(tensor.to(device) for tensor in self))

    def split(self, rows: int) -> Iterator["QuestionBatch"]:
        """Pieces of at most `rows` rows; a smaller piece tells passages from fewer others."""
        for start in range(0, len(self.numbers), rows):
            yield QuestionBatch(*(tensor[start : start + rows] for tensor in self))


_GROUP = 8
"""Pairs that are easily taken for one another, side by side."""


class QuestionBatches:
    """Batches of `rows` pairs in an order of (seed, step).

    questions, passages: token sequences of both sides; numbers: (N,) int64, equal for one passage.
    near: (N, K) int64, for each pair others whose passages look as if they answered its question;
    they come into a batch together, as a question learns little from passages of other things.
    """

    def __init__(
        self,
        questions: Sequence[np.ndarray],
        passages: Sequence[np.ndarray],
        numbers: np.ndarray,
        rows: int,
        seed: int,
        padding: int,
        near: np.ndarray | None = None,
    ) -> None:
        self.questions, self.passages, self.numbers = questions, passages, numbers
        self.seed, self.padding, self.near = seed, padding, near
        arranged = None if near is None else partial(side_by_side, near)
        self._order = Shuffled(len(numbers), rows, seed, arranged)

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every pair is seen once."""
        return self._order.count / self._order.rows

    def of(self, rows: int) -> "QuestionBatches":
        """The same pairs in batches of another size."""
        sides = self.questions, self.passages, self.numbers
        return QuestionBatches(*sides, rows, self.seed, self.padding, self.near)

    def batch(self, step: int) -> QuestionBatch:
        """The batch of optimiser step `step`, counted from 0."""
        chosen = self._order.indices(step)
        questions = padded([self.questions[i] for i in chosen], self.padding)
        passages = padded([self.passages[i] for i in chosen], self.padding)
        return QuestionBatch(*questions, *passages, torch.from_numpy(self.numbers[chosen]))


def side_by_side(near: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """(N,) int64, an order in which each is followed by some of those near it, (N, K), that did not
    come before."""
    taken, order = np.zeros(len(near), bool), list[int]()
    for first in draw.permutation(len(near)):
        if taken[first]:
            continue
        others = [i for i in draw.permutation(near[first]) if i != first and not taken[i]]
        group = [first, *others[: _GROUP - 1]]
        taken[group] = True
        order += group
    return np.array(order, np.int64)


class GroupBatch(NamedTuple):
    """Groups of `size` sequences, of which the first of each is right.

    tokens, types: (G * size, T) int64; valid: the same, True = a real one.
    """

    tokens: Tensor
    types: Tensor
    valid: Tensor
    size: int

    def to(self, device: str) -> "GroupBatch":
        """The same on another device."""
        tokens, types, valid = (tensor.to(device) for tensor in self[:3])
        return GroupBatch(tokens, types, valid, self.size)

    def split(self, rows: int) -> Iterator["GroupBatch"]:
        """Pieces of at most `rows` groups, each as long as the longest of it."""
        for start in range(0, len(self.tokens), rows * self.size):
            part = slice(start, start + rows * self.size)
            longest = int(self.valid[part].sum(1).max())
            tokens, types, valid = (tensor[part, :longest] for tensor in self[:3])
            yield GroupBatch(tokens, types, valid, self.size)


class GroupBatches:
    """Batches of `rows` questions in an order of (seed, step), each with its right passage and
    `wrong` others, drawn anew in each epoch.

    right: (N,) questions with their own passages. others: for each, passages that are wrong, at
    least `wrong` of them. read: makes sequences of pairs.
    """

    def __init__(
        self,
        right: Sequence[tuple[str, str]],
        others: Sequence[Sequence[str]],
        read: Callable[[Sequence[tuple[str, str]]], list[PairSequence]],
        wrong: int,
        rows: int,
        seed: int,
    ) -> None:
        self.right, self.others, self.read, self.wrong, self.seed = right, others, read, wrong, seed
        self._order = Shuffled(len(right), rows, seed)

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every question is seen once."""
        return self._order.count / self._order.rows

    def of(self, rows: int) -> "GroupBatches":
        """The same questions in batches of another size."""
        return GroupBatches(self.right, self.others, self.read, self.wrong, rows, self.seed)

    def batch(self, step: int) -> GroupBatch:
        """The batch of optimiser step `step`, counted from 0."""
        draw = np.random.default_rng([self.seed, step])
        chosen: list[tuple[str, str]] = []
        for i in self._order.indices(step):
            some = draw.choice(len(self.others[i]), self.wrong, replace=False)
            question = self.right[i][0]
            chosen += [self.right[i], *((question, self.others[i][j]) for j in some)]
        return group_batch(self.read(chosen), self.wrong + 1)


def group_batch(sequences: Sequence[PairSequence], size: int) -> GroupBatch:
    """Sequences of whole groups, filled up to the longest; longer groups first, so that pieces of a
    batch hold little that is filled up."""
    lengths = np.array([len(one.ids) for one in sequences]).reshape(-1, size).max(1)
    order = np.argsort(-lengths, kind="stable")
    sequences = [sequences[i * size + j] for i in order for j in range(size)]
    tokens, valid = padded([one.ids for one in sequences], 0)
    types, _ = padded([one.types for one in sequences], 0)
    return GroupBatch(tokens, types, valid, size)
