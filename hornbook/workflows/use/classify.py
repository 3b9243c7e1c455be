"""Texts in, labels with probabilities out, some at a time, so that a long file streams.

Knows classifiers and files of texts; knows nothing of the command line.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from hornbook.models.text_classifier import TextClassifier, softmax
from hornbook.workflows.open.classifier import Labeller

_AT_ONCE = 64
"""Texts judged together: enough for full speed, few enough to see something soon."""


class Labelled(NamedTuple):
    """A text's likeliest label with its probability, and those of all labels.

    cut: the end of the text was not read. empty: it is nothing but white space, so that the label
    is what the classifier says of nothing.
    """

    text: str
    label: str
    probability: float
    probabilities: dict[str, float]
    cut: bool
    empty: bool

    def plain(self) -> dict[str, Any]:
        """As JSON has it; `cut` and `empty` where they are true."""
        flags = {name: True for name in ("cut", "empty") if getattr(self, name)}
        return {
            "text": self.text,
            "label": self.label,
            "probability": self.probability,
            "probabilities": self.probabilities,
            **flags,
        }


def label_texts(
    classifier: Labeller, texts: Iterable[str], at_once: int = _AT_ONCE
) -> Iterator[Labelled]:
    """Each text labelled, in order, as soon as some are there.

    Raises HornbookError for half a surrogate pair.
    """
    remaining = iter(texts)
    while some := list(itertools.islice(remaining, at_once)):
        if isinstance(classifier, TextClassifier):
            read = classifier.read(some)
            shares, cut = softmax(classifier.logits(read.sequences)), read.cut
        else:
            shares, cut = classifier.probabilities(some), np.zeros(len(some), bool)
        for text, row, short in zip(some, shares, cut, strict=True):
            best = int(row.argmax())
            yield Labelled(
                text=text,
                label=classifier.labels[best],
                probability=float(row[best]),
                probabilities=dict(zip(classifier.labels, row.tolist(), strict=True)),
                cut=bool(short),
                empty=not text.strip(),
            )
