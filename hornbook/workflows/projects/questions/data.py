"""Questions with passages in three parts, decided by the passages' contents."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import UsageError
from hornbook.datasets.pairs import Pair, read_pairs
from hornbook.read.documents import Rejection, content_hash

NAMES = (
    ("question", "passage"), ("question", "context"), ("question", "text"), ("question", "answer"),
    ("query", "passage"), ("query", "positive"), ("query", "document"), ("query", "text"),
    ("anchor", "positive"),
)  # fmt: skip
"""What the columns of a question and of what answers it are called."""
_FEWEST = 20
_HELD_OUT = 0.1
"""Of the pairs, to measure on; and again to know when to stop."""
_FEW = 50


class QuestionParts(NamedTuple):
    """Pairs to train on, to stop by and to measure on: no passage is on two sides.

    copies: pairs left out as another says the same. rejected: rows that hold none.
    """

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]
    copies: int
    rejected: list[Rejection]

    def books(self) -> dict[str, int]:
        """How many there are of each, for the result."""
        parts = {name: len(getattr(self, name)) for name in ("train", "validation", "test")}
        return {**parts, "copies": self.copies, "rejected": len(self.rejected)}

    def said(self) -> list[str]:
        """What was read, for people."""
        lines = [
            f"{len(self.train):,} pairs to train on, {len(self.validation):,} to know when to "
            f"stop, {len(self.test):,} to measure on; {self.copies:,} copies left out."
        ]
        lines += [f"  left out: {one}" for one in self.rejected[:5]]
        if len(self.test) < _FEW:
            lines.append(f"  warning: {len(self.test)} test pairs show large differences only")
        return lines


def read_parts(files: Sequence[Path]) -> QuestionParts:
    """The pairs of all files. Raises UsageError as `read_pairs` does, and for too few of them."""
    rows = [row for file in files for row in read_pairs([file], usual=NAMES)]
    rejected = [row for row in rows if isinstance(row, Rejection)]
    pairs = [row for row in rows if isinstance(row, Pair)]
    unique = list(dict.fromkeys(pairs))
    sides: tuple[list[Pair], ...] = ([], [], [])
    for pair in unique:
        # Where a passage's content lies between 0 and 1 decides, so that more rows move none.
        place = int(content_hash(pair.target)[:8], 16) / 2**32
        sides[2 if place < _HELD_OUT else 1 if place < 2 * _HELD_OUT else 0].append(pair)
    train, validation, test = sides
    if len(train) < _FEWEST or not validation or not test:
        named = ", ".join(map(str, files))
        raise UsageError(
            f"{named}: {len(unique):,} different pairs of a question and a passage are too few; "
            f"{2 * _FEWEST} or more are needed to train, to stop and to measure."
        )
    return QuestionParts(train, validation, test, len(pairs) - len(unique), rejected)
