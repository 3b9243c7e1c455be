"""Questions with the passages that answer them, in batches for contrastive learning."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hornbook.batches.labelled import Shuffled
from hornbook.nn.padding import padded


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

    def to(self, device: str) -> "QuestionBatch":
        """The same on another device."""
        return QuestionBatch(*(tensor.to(device) for tensor in self))

    def split(self, rows: int) -> Iterator["QuestionBatch"]:
        """Pieces of at most `rows` rows; a smaller piece tells passages from fewer others."""
        for start in range(0, len(self.numbers), rows):
            yield QuestionBatch(*(tensor[start : start + rows] for tensor in self))


class QuestionBatches:
    """Batches of `rows` pairs in an order of (seed, step).

    questions, passages: token sequences of both sides; numbers: (N,) int64, equal for one passage.
    """

    def __init__(
        self,
        questions: Sequence[np.ndarray],
        passages: Sequence[np.ndarray],
        numbers: np.ndarray,
        rows: int,
        seed: int,
        padding: int,
    ) -> None:
        self.questions, self.passages, self.numbers = questions, passages, numbers
        self.seed, self.padding = seed, padding
        self._order = Shuffled(len(numbers), rows, seed)

    @property
    def steps_per_epoch(self) -> float:
        """Optimiser steps in which every pair is seen once."""
        return self._order.count / self._order.rows

    def of(self, rows: int) -> "QuestionBatches":
        """The same pairs in batches of another size."""
        sides = self.questions, self.passages, self.numbers
        return QuestionBatches(*sides, rows, self.seed, self.padding)

    def batch(self, step: int) -> QuestionBatch:
        """The batch of optimiser step `step`, counted from 0."""
        chosen = self._order.indices(step)
        questions = padded([self.questions[i] for i in chosen], self.padding)
        passages = padded([self.passages[i] for i in chosen], self.padding)
        return QuestionBatch(*questions, *passages, torch.from_numpy(self.numbers[chosen]))
