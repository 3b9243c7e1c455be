"""The texts of a comparison: what is learned from, what is judged, and which classes can be judged.

A class needs a text to learn from and another one to be judged on; what happens to one that lacks
either is said.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field

from hornbook.core.config import Config
from hornbook.core.errors import UsageError, nearest
from hornbook.datasets.labelled import (
    LabelledText,
    classes_of,
    folds,
    read_labelled,
    split,
    without_copies,
)
from hornbook.read.documents import content_hash

_NAMED = 5
"""Classes that a note names; of more it says how many."""
_STRANGE = 0.5
"""Of the texts of --test, those of unknown classes from which on it is another kind of data."""


class CompareConfig(Config):
    """data: labelled texts. test: others to judge on, None for a part of data. folds: judge on
    every row by turns, instead of on `test_share`. minutes: of all of it, to the report.
    test_limit: rows judged at the most. curve: numbers of training rows to try besides all.
    words: what stands for each label in a prompt.
    """

    data: Path
    test: Path | None = None
    text_column: str | None = None
    label_column: str | None = None
    folds: int | None = Field(default=None, ge=2, le=20)
    test_share: float = Field(default=0.2, gt=0, lt=1)
    test_limit: int | None = Field(default=None, ge=10)
    minutes: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    curve: tuple[int, ...] = ()
    words: dict[str, str] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0, lt=2**63)


class Round(NamedTuple):
    """Rows to train on and rows to judge on; places: of these in the table of all judged."""

    train: list[LabelledText]
    test: list[LabelledText]
    places: np.ndarray

    @property
    def labels(self) -> list[str]:
        """What can be learned in it, in the order in which a classifier numbers it."""
        return classes_of(row.label for row in self.train)


class Data(NamedTuple):
    """The rounds, the judged rows in order, and what was found while they were read."""

    rounds: list[Round]
    judged: list[LabelledText]
    facts: dict[str, Any]

    @property
    def labels(self) -> list[str]:
        """All that is learned or judged anywhere, as classifiers number it."""
        rows = [*self.judged, *(row for part in self.rounds for row in part.train)]
        return classes_of(row.label for row in rows)


def read_data(config: CompareConfig) -> Data:
    """The rounds of training and judging, with copies out of the way.

    Raises UsageError for data that cannot be compared on.
    """
    found = read_labelled(config.data, config.text_column, config.label_column)
    rows, copies = without_copies(found.rows)
    notes = [f"Text: {found.text_column}. Labels: {found.label_column}."]
    if found.rejected:
        notes.append(f"{len(found.rejected):,} rows could not be used: {found.rejected[0].reason}.")
    if copies:
        notes.append(f"{copies:,} repeated texts are left out.")
    facts: dict[str, Any] = {"copies": copies, "rejected": len(found.rejected), "notes": notes}
    facts["not_judged"], facts["unknown"] = {}, {}
    if config.test:
        others = read_labelled(config.test, found.text_column, found.label_column).rows
        judged = _known(others, rows, config.test, facts)
        known = {content_hash(row.text) for row in rows}
        leaked = [content_hash(row.text) in known for row in judged]
        if any(leaked):
            notes.append(f"{sum(leaked):,} texts to be judged on are also trained on.")
        rounds = [Round(rows, judged, np.arange(len(judged)))]
    elif config.folds:
        rounds, judged, leaked = *_by_turns(rows, config.folds, config.seed), []
    else:
        train, judged = split(rows, config.test_share, config.seed)
        rounds, leaked = [Round(train, judged, np.arange(len(judged)))], []
    data = Data(rounds, judged, {**facts, "leaked": leaked})
    _note_unjudged(data)
    return data if config.folds else _limited(data, config)


def _known(
    others: Sequence[LabelledText], rows: Sequence[LabelledText], test: Path, facts: dict[str, Any]
) -> list[LabelledText]:
    """Of --test the texts whose class can be learned; the others could only be wrong."""
    labels = classes_of(row.label for row in rows)
    unknown = Counter(row.label for row in others if row.label not in labels)
    if not unknown:
        return list(others)
    count, first = sum(unknown.values()), next(iter(unknown))
    if count >= _STRANGE * len(others):
        raise UsageError(
            f"{count:,} of the {len(others):,} texts of {test} have labels that --data does not "
            f"have, such as {first!r}. {nearest(first, labels)}"
        )
    facts["unknown"] = dict(unknown)
    facts["notes"].append(
        f"{count:,} texts of {test.name} are not judged, as no text to learn from has their label: "
        f"{_named(unknown)}. {nearest(first, labels)}"
    )
    return [row for row in others if row.label in labels]


def _by_turns(
    rows: Sequence[LabelledText], count: int, seed: int
) -> tuple[list[Round], list[LabelledText]]:
    """Every text is judged once; those that are alone in their class are always learned from."""
    counts = Counter(row.label for row in rows)
    alone = [row for row in rows if counts[row.label] == 1]
    judged = [row for row in rows if counts[row.label] > 1]
    fold = np.array(folds(judged, count, seed))
    rounds = []
    for k in range(count):
        held = np.flatnonzero(fold == k)
        learned = [judged[i] for i in np.flatnonzero(fold != k)]
        rounds.append(Round([*learned, *alone], [judged[i] for i in held], held))
    return rounds, judged


def _note_unjudged(data: Data) -> None:
    """Say which classes are learned and never judged, and how many texts they have."""
    judged = {row.label for row in data.judged}
    texts = Counter(row.label for row in data.rounds[0].train if row.label not in judged)
    data.facts["not_judged"].update(texts)
    if texts:
        data.facts["notes"].append(
            f"Learned from but not judged, as no other text is left to judge on: {_named(texts)}."
        )


def _named(texts: Counter[str]) -> str:
    """Classes with how many texts each has."""
    first = texts.most_common(_NAMED)
    shown = ", ".join(f"{label!r} ({n:,} text{'s' if n > 1 else ''})" for label, n in first)
    more = len(texts) - len(first)
    return shown + (f" and {more:,} more classes" if more else "")


def _limited(data: Data, config: CompareConfig) -> Data:
    """The same with at most `test_limit` rows to judge on, evenly spread."""
    count = len(data.judged)
    if config.test_limit is None or config.test_limit >= count:
        return data
    places = np.linspace(0, count - 1, config.test_limit).astype(int)
    judged = [data.judged[i] for i in places]
    leaked = [data.facts["leaked"][i] for i in places] if data.facts["leaked"] else []
    data.facts["notes"].append(f"{len(judged):,} of {count:,} are judged on.")
    rounds = [Round(data.rounds[0].train, judged, np.arange(len(judged)))]
    return Data(rounds, judged, {**data.facts, "leaked": leaked})
