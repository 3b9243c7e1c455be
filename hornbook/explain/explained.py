"""What is explained: the log-probability that a model gives to something, as a function of which
pieces of its input (tokens, patches of an image) it sees.

Knows no family of models; `next_token`, `judged` and `translated` ask them.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.core.progress import Advance
from hornbook.models.model import Model
from hornbook.nn.stack import Stack

_AT_ONCE, _LOGITS = 4096, 2**24
"""Positions, and logits, of the rows that are computed together, so that memory stays bounded."""


class Explained(ABC):
    """N pieces of an input, K things that are said of it, each one of V.

    targets: (K,) int64, what is explained of each. places: (N,) int64, where the vector of each
    piece stands in a sequence. time: positions of the sequence. answers: V. stack: that reads
    it. embedding: what makes its vectors. reads: the positions whose vectors the answer is made of.
    asked: the pieces that the deletion test leaves, as without them another question is asked.
    """

    model: Model
    targets: Tensor
    places: Tensor
    time: int
    answers: int
    stack: Stack
    embedding: nn.Module
    reads: list[int]
    asked: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """N, how many pieces can be hidden."""
        return len(self.places)

    @property
    def at_once(self) -> int:
        """Rows that are computed together."""
        largest = _LOGITS // (self.answers * len(self.targets))
        return max(1, min(_AT_ONCE // max(1, self.time), largest))

    @abstractmethod
    def logits(self, kept: Tensor) -> Tensor:
        """(R, K, V) where the model sees the pieces of `kept` (R, N) bool alone. The others are as
        if they were not there; those that are seen keep their positions."""

    def everything(self, rows: int = 1) -> Tensor:
        """(rows, N) bool: all pieces are seen."""
        return torch.ones(rows, self.size, dtype=torch.bool, device=self.model.device)

    @torch.no_grad()
    def log_probabilities(
        self, kept: np.ndarray, advance: Advance = lambda amount: None
    ) -> np.ndarray:
        """Of the targets, (R, K) float64, for each row of kept (R, N) bool; some rows at a time."""
        found, at_once = [], self.at_once
        for start in range(0, len(kept), at_once):
            rows = torch.from_numpy(kept[start : start + at_once]).to(self.model.device)
            found.append(self.of_targets(self.logits(rows)).cpu().numpy())
            advance(len(rows))
        return np.concatenate(found) if found else np.zeros((0, len(self.targets)))

    def of_targets(self, logits: Tensor) -> Tensor:
        """Log-probabilities of the targets, (R, K) float64, from logits (R, K, V)."""
        logs = logits.double().log_softmax(-1)
        picked: Tensor = logs.gather(-1, self.targets.expand(len(logs), -1)[..., None])
        return picked[..., 0]


class SeenTokens(NamedTuple):
    """Rows of tokens that are seen, moved together. tokens, pos: (R, T) int64, each with the
    position that it had. valid: (R, T) bool, None where all are real. counts: (R,) of the real."""

    tokens: Tensor
    pos: Tensor
    valid: Tensor | None
    counts: Tensor

    @property
    def real(self) -> Tensor:
        """`valid`, said in any case."""
        return torch.ones_like(self.tokens, dtype=torch.bool) if self.valid is None else self.valid


def seen_tokens(tokens: Tensor, pos: Tensor, seen: Tensor) -> SeenTokens:
    """What is left of tokens (M,) at positions (M,) where seen (R, M) bool is True."""
    counts = seen.sum(1)
    order = (~seen).long().argsort(dim=1, stable=True)[:, : int(counts.max())]
    valid = torch.arange(order.shape[1], device=seen.device) < counts[:, None]
    return SeenTokens(tokens[order], pos[order], None if valid.all() else valid, counts)
