"""Answers that a model drew itself, as a batch: what it is to learn of each token, and of nothing
else.

Ids are those that were drawn; no text is encoded again, which could give others.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.conversations import answered, stack


class Rollout(NamedTuple):
    """prompt, answer: ids; the answer's last is the token that ended it, where one did. advantage:
    what the answer is worth beside the others to the same prompt."""

    prompt: Sequence[int]
    answer: Sequence[int]
    advantage: float


class RolloutBatch(NamedTuple):
    """answers: rows padded on the right, whose targets are the tokens of the answer, the one that
    ends it included, and IGNORE elsewhere. advantages: (B,) float32. reference: (B, T) float32, the
    log-probability of each target by the reference, None where nothing is held to it. scale: what
    sums over the rows are multiplied by."""

    answers: Batch
    advantages: Tensor
    reference: Tensor | None
    scale: float

    def to(self, device: str) -> "RolloutBatch":
        """The same on another device."""
        reference = None if self.reference is None else self.reference.to(device)
        return RolloutBatch(
            self.answers.to(device), self.advantages.to(device), reference, self.scale
        )

    def split(self, rows: int) -> Iterator["RolloutBatch"]:
        """The same work in pieces of at most `rows` rows, each as wide as its longest."""
        for at, part in enumerate(self.answers.split(rows)):
            here = slice(at * rows, at * rows + rows)
            width = int((part.targets != IGNORE).any(0).nonzero().max()) + 1
            yield RolloutBatch(
                Batch(part.tokens[:, :width], part.targets[:, :width], part.pos[:, :width]),
                self.advantages[here],
                None if self.reference is None else self.reference[here, :width],
                self.scale,
            )


def batch_of(rollouts: Sequence[Rollout], scale: float, padding: int) -> RolloutBatch:
    """The longest first, so that pieces are of like lengths."""
    order = sorted(rollouts, key=lambda one: -len(one.prompt) - len(one.answer))
    rows = [[answered(one.prompt, one.answer)] for one in order]
    longest = max(len(one.prompt) + len(one.answer) for one in order) - 1
    answers = stack(rows, longest, padding)._replace(segments=None)
    advantages = torch.tensor([one.advantage for one in order], dtype=torch.float32)
    return RolloutBatch(answers, advantages, None, scale)
