"""What a model is trained on: a rectangle of tokens and what to predict at each of them."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from torch import Tensor

IGNORE = -1
"""The target of a position that is not trained."""


class AnyBatch(Protocol):
    """What the loop sees of a batch, whatever is in it."""

    def to(self, device: str) -> Self:
        """The same on another device."""

    def split(self, rows: int) -> Iterator[Self]:
        """The same work in pieces of at most `rows` rows."""


class Batch(NamedTuple):
    """tokens, targets: (B, T) int64, targets hold IGNORE where nothing is to be learned.

    pos: (B, T) or (1, T) int64. segments: (B, T) int64 where rows hold several sequences that
    must not see each other, else None.
    """

    tokens: Tensor
    targets: Tensor
    pos: Tensor
    segments: Tensor | None = None

    def to(self, device: str) -> "Batch":
        """The same on another device."""
        segments = None if self.segments is None else self.segments.to(device)
        return Batch(self.tokens.to(device), self.targets.to(device), self.pos.to(device), segments)

    def split(self, rows: int) -> Iterator["Batch"]:
        """The same work in pieces of at most `rows` rows."""
        for start in range(0, len(self.tokens), rows):
            part = slice(start, start + rows)
            yield Batch(
                self.tokens[part],
                self.targets[part],
                self.pos if len(self.pos) == 1 else self.pos[part],
                None if self.segments is None else self.segments[part],
            )


class PairBatch(NamedTuple):
    """Sources and their targets, padded on the right.

    source: (B, S) int64, source_valid: (B, S) bool. tokens, targets: (B, T) int64, what the
    decoder reads and what comes after each; targets hold IGNORE on the padding.
    """

    source: Tensor
    source_valid: Tensor
    tokens: Tensor
    targets: Tensor

    def to(self, device: str) -> "PairBatch":
        """The same on another device."""
        return PairBatch(*(tensor.to(device) for tensor in self))

    def split(self, rows: int) -> Iterator["PairBatch"]:
        """The same work in pieces of at most `rows` rows."""
        for start in range(0, len(self.source), rows):
            yield PairBatch(*(tensor[start : start + rows] for tensor in self))
