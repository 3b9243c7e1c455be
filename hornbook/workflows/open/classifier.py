"""A model that labels texts, ready to use, however it was made: tuned, or on hand-made features."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from hornbook.baselines import linear_classifier as linear
from hornbook.core.errors import UsageError, unknown
from hornbook.core.machine import pick_device
from hornbook.generate.decide import Decision, Question, decided
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.folder import load_model
from hornbook.models.place import linear_folder, resolve
from hornbook.models.text_classifier import TextClassifier, softmax
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.workflows.open.asked import Asks, asks
from hornbook.workflows.open.opened import Opened, texts_of

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


class Classifier(Opened):
    """A model that labels texts. labels: all there are, in the order of the probabilities."""

    kind, abilities = "a classifier", ("classify", "stream", "decide")

    def __init__(self, path: Path, model: TextClassifier | linear.LinearClassifier) -> None:
        super().__init__(path)
        self.model = model
        self.labels: tuple[str, ...] = tuple(model.labels)

    @overload
    def classify(self, texts: str) -> Labelled: ...  # type: ignore[overload-overlap]
    @overload
    def classify(self, texts: Iterable[str]) -> list[Labelled]: ...
    def classify(self, texts: str | Iterable[str]) -> Labelled | list[Labelled]:
        """The label of a text, or of each of several, with probabilities that sum to one.

        Raises UsageError for what is no text, and HornbookError for half a surrogate pair.
        """
        found = list(self.stream([texts] if isinstance(texts, str) else texts))
        return found[0] if isinstance(texts, str) else found

    def stream(self, texts: Iterable[str], at_once: int = _AT_ONCE) -> Iterator[Labelled]:
        """As `classify`, each as soon as some are there: for texts without end."""
        remaining = texts_of(texts)
        while some := list(itertools.islice(remaining, at_once)):
            shares, cut = self._judged(some)
            for text, row, short in zip(some, shares, cut, strict=True):
                best = int(row.argmax())
                yield Labelled(
                    text=text,
                    label=self.labels[best],
                    probability=float(row[best]),
                    probabilities=dict(zip(self.labels, row.tolist(), strict=True)),
                    cut=bool(short),
                    empty=not text.strip(),
                )

    def decide(
        self, text: str, questions: Asks, choices: Sequence[str] | None = None
    ) -> list[Decision]:
        """The label of a text as the answer to a question: the one that it was trained on.

        choices: labels to choose among, all if not given. Raises UsageError for another choice,
        and for more than one question.
        """
        several = [questions] if isinstance(questions, str | Question) else list(questions)
        if len(several) != 1:
            raise UsageError(
                f"{self.path} is a classifier: it answers one question, which of its labels a "
                f"text has, not {len(several)}."
            )
        given = several[0].choices if isinstance(several[0], Question) else choices
        (question,) = asks(several, given or self.labels)
        for choice in question.choices:
            if choice not in self.labels:
                raise unknown("label", choice, self.labels)
        found = self.classify(text)
        shares = [found.probabilities[choice] for choice in question.choices]
        total = sum(shares) or 1.0
        return [decided(question, [share / total for share in shares], "classifier", found.cut)]

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, L) float64, rows that sum to 1, in the order of `texts` and `labels`."""
        return self.model.probabilities(texts)

    def _judged(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (N, L), and which texts were cut (N,) bool."""
        if not isinstance(self.model, TextClassifier):
            return self.model.probabilities(texts), np.zeros(len(texts), bool)
        read = self.model.read(texts)
        return softmax(self.model.logits(read.sequences)), read.cut


def open_classifier(path: Path, device: str | None = None) -> Classifier:
    """The classifier of a model or run folder.

    device: "cpu", "cuda", or None for the best there is. Raises UsageError or HornbookError naming
    what is missing, or that the model is none that labels texts.
    """
    if (place := linear_folder(path)) is not None:
        return Classifier(path, linear.LinearClassifier.load(place))
    folder = resolve(path)
    model = load_model(folder, pick_device(device)).eval()
    assert isinstance(model, ClassifierNetwork)
    if model.config.vocab is None:
        raise UsageError(f"{folder} labels images, not texts.")
    return Classifier(path, TextClassifier(model, SequenceTokenizer.load(folder)))
