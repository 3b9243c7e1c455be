"""Classifiers that claims compare: all learn from the same rows and are judged on the same ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hornbook.adapt.method import Method
from hornbook.datasets.labelled import LabelledText, classes_of, split
from hornbook.workflows.claims.bodies import PLAN
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.open.classifier import open_classifier
from hornbook.workflows.projects.labels.data import LabelledSplits
from hornbook.workflows.projects.labels.project import Labels
from hornbook.workflows.projects.labels.rates import rates_of

COUNTS = (50, 200, 800)
"""Labelled texts that are learned from at scale 1."""
SEEN = 1600
"""Texts that a training reads at scale 1, however few there are: as many steps of each."""
_JUDGED, _LOOKED_AT = 600, 0.2
"""Texts that are judged at most, and the share of the others by which a training is stopped."""
POOLING = {"kind": "mean"}
"""How the bodies that are compared make one vector of a text, whatever their family does: a body of
this size does not learn in a few dozen steps to carry a text to its last token."""
RATES = rates_of(Method(kind="full"), True, PLAN["width"]).optimiser.plain()
"""Of a body that begins afresh, for all that are compared: at the gentle ones of large pretrained
models a body of this size hardly moves, and rates would be compared instead of weights."""


class DrawnRows(NamedTuple):
    """learned: rows to learn from, of each number that is tried, every one part of the next.
    judged: texts, and their labels.
    """

    learned: dict[int, list[LabelledText]]
    judged: list[str]
    labels: list[str]


def draw_rows(rows: Sequence[LabelledText], counts: Sequence[int], seed: int) -> DrawnRows:
    """DrawnRows drawn by a seed; numbers of which there are too few become what there is."""
    share = min(0.3, _JUDGED / len(rows))
    rest, judged = split(rows, share, seed)
    order = np.random.default_rng(seed).permutation(len(rest))
    classes = classes_of(row.label for row in rest)
    # Each class first stands once, so that the fewest rows have all of them.
    first = [next(i for i in order if rest[i].label == label) for label in classes]
    taken = [*first, *(i for i in order if i not in set(first))]
    learned = {
        count: [rest[i] for i in taken[:count]]
        for count in dict.fromkeys(min(count, len(rest)) for count in counts)
    }
    return DrawnRows(learned, [row.text for row in judged], [row.label for row in judged])


def tuned(
    lab: Lab,
    name: str,
    seed: int,
    model: Path | str,
    rows: Sequence[LabelledText],
    seen: int = SEEN,
    **values: Any,
) -> Path:
    """The run of a classifier: a model folder, or a preset that begins afresh. seen: texts that the
    training reads at scale 1, however few there are, so that all trainings have as many steps.
    values: of the request, where they are not those of all bodies that are compared."""
    learned, looked_at = split(rows, _LOOKED_AT, seed)
    project, passes = (
        Labels(LabelledSplits(learned, looked_at), model),
        lab.scaled(seen) / len(rows),
    )
    return lab.train(name, seed, project, epochs=passes, **values)


def right(run: Path, rows: DrawnRows) -> np.ndarray:
    """(N,) 1.0 for each judged text whose label the classifier of a run names."""
    classifier = open_classifier(run, "cpu")
    shares = classifier.probabilities(rows.judged)
    guesses = [classifier.labels[i] for i in shares.argmax(1)]
    return np.array([float(one == other) for one, other in zip(guesses, rows.labels, strict=True)])
