"""Labelled texts in three parts, decided by their contents, and what is said of them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hornbook.core.errors import UsageError, nearest
from hornbook.core.files import hash_file, hash_json
from hornbook.datasets.labelled import (
    LabelledText,
    classes_of,
    read_labelled,
    split,
    without_copies,
)
from hornbook.read.documents import Rejection

FEWEST = 10
"""Texts below which nothing is learned that could be told from chance."""
_HELD_OUT = 0.1
"""Of the texts, what is held out to test on, and again to validate on."""
_FEWEST_NAMED = 10
"""Classes without a test text that are named."""
_FEW = 100
"""Test texts below which a warning says how little they can show."""


class LabelledSplits(NamedTuple):
    """Texts to learn from, to stop, choose and calibrate by, and to measure on.

    source: where they come from. copies, rejected: rows left out. text, label: the columns.
    """

    train: Sequence[LabelledText]
    validation: Sequence[LabelledText]
    test: Sequence[LabelledText] = ()
    source: str = ""
    copies: int = 0
    rejected: Sequence[Rejection] = ()
    text: str = ""
    label: str = ""

    @property
    def labels(self) -> list[str]:
        """What is learned, in the order of the logits."""
        return classes_of(row.label for row in self.train)

    def books(self) -> dict[str, int]:
        """How many texts there are of each kind, for the result."""
        parts = {name: len(getattr(self, name)) for name in ("train", "validation", "test")}
        return {**parts, "copies": self.copies, "rejected": len(self.rejected)}

    def fingerprint(self) -> str:
        """What decides the result."""
        return hash_json({"parts": [list(self.train), list(self.validation), list(self.test)]})

    def check(self) -> None:
        """Raises UsageError for too few rows, for one class only, and for a validation label that
        is not in the training part."""
        labels = self.labels
        if len(self.train) < FEWEST or not self.validation:
            raise UsageError(
                f"{len(self.train):,} texts to train on and {len(self.validation):,} to validate "
                f"on are too few; at least {FEWEST} and one are needed."
            )
        if len(labels) < 2:
            raise UsageError(
                f"All {len(self.train):,} training texts have the label {labels[0]!r}. At least "
                "two labels are needed."
            )
        for row in self.validation:
            if row.label not in labels:
                raise UsageError(
                    f"The label {row.label!r} of the validation text {row.id} is not in the "
                    f"training part. {nearest(row.label, labels)}"
                )

    def said(self) -> list[str]:
        """What was found in the file, and how it was parted; nothing of rows without a file."""
        if not self.source:
            return []
        counts = Counter(row.label for row in (*self.train, *self.validation, *self.test))
        shown = ", ".join(f"{label} {counts[label]:,}" for label in classes_of(counts)[:12])
        more = f" and {len(counts) - 12:,} more" if len(counts) > 12 else ""
        lines = [
            f"Texts in {self.text!r}, labels in {self.label!r}: {shown}{more}",
            f"  {len(self.train):,} to train on, {len(self.validation):,} to validate on, "
            f"{len(self.test):,} to test on",
        ]
        lines += [f"  {line}" for line in self._rare(counts)]
        if self.copies:
            lines.append(f"  {self.copies:,} rows left out: copies of texts before them")
        lines += [f"  left out: {rejection}" for rejection in self.rejected[:5]]
        if len(self.test) < _FEW:
            lines.append(
                f"  warning: {len(self.test)} test texts show large differences only; see the "
                "intervals"
            )
        return lines

    def _rare(self, counts: Counter[str]) -> list[str]:
        """Classes too small to be on all sides, and what happens to them."""
        lacking = (("tested", self.test), ("validated", self.validation))
        there = [(what, {row.label for row in part}) for what, part in lacking]
        found: list[str] = []
        for label in classes_of(counts):
            not_done = [what for what, labels in there if label not in labels]
            if not_done and len(found) < _FEWEST_NAMED:
                texts = f"{counts[label]:,} text{'s' if counts[label] > 1 else ''}"
                found.append(
                    f"{label!r} has {texts}: learned from, but not {' nor '.join(not_done)}"
                )
        return found


def read_splits(path: Path, text_column: str | None, label_column: str | None) -> LabelledSplits:
    """The rows of a file, in three parts decided by contents: no two texts in them are the same up
    to white space.

    Raises UsageError as `read_labelled` and `LabelledSplits.check` do.
    """
    found = read_labelled(path, text_column, label_column)
    rows, copies = without_copies(found.rows)
    if len(rows) < FEWEST + 2:
        raise UsageError(
            f"{path} has {len(rows):,} different texts; at least {FEWEST + 2} are needed to train, "
            "validate and test."
        )
    rest, test = split(rows, _HELD_OUT, seed=0)
    train, validation = split(rest, _HELD_OUT / (1 - _HELD_OUT), seed=1)
    columns = (found.text_column, found.label_column)
    splits = LabelledSplits(train, validation, test, path.name, copies, found.rejected, *columns)
    splits.check()
    return splits


def hash_data(path: Path) -> str:
    """A file's fingerprint; raises UsageError where there is none."""
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is no file.")
    return hash_file(path)
