"""Text classifiers that train in seconds: a linear model on parts, tuned inside its training data.

The majority class, naive Bayes, hand-made features and TF-IDF are all linear in what they see, so
they share one class, one file format and one way to say why. Legend: N texts, F features, L
classes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.baselines.feature_groups import (
    KINDS,
    FeatureGroup,
    GroupState,
    Handmade,
    Matrix,
    Terms,
)
from hornbook.baselines.learners import LEARNERS, Linear, softmax
from hornbook.baselines.tuning import Hyperparameters, blocks, side_by_side, tune, untuned
from hornbook.core.claims import Claim
from hornbook.core.errors import HornbookError, UsageError, unknown
from hornbook.core.files import read_json, write_json
from hornbook.core.folders import atomic_folder
from hornbook.datasets.labelled import LabelledText, classes_of, folds
from hornbook.models.place import LINEAR, no_numbers

ABOUT, ARRAYS = LINEAR, "classifier.safetensors"
_KIND = "hornbook linear text classifier"
_FOLDS = 3
_FEWEST = 12
"""Texts: fewer are not split once more to tune on."""
_VERSION = 2
_AT_ONCE = 2000
"""Texts turned into rows together: of long ones, more would take much memory."""


class Weight(NamedTuple):
    """feature: its name. weight: what a unit of it adds to the class's logit, over the mean class.

    A unit is length 1 of TF-IDF rows; of hand-made features a standard deviation, over √F and times
    their share in `choice`.
    """

    feature: str
    weight: float


class LinearClassifier:
    """labels: the classes in the order of the probabilities' columns; empty before `fit`.

    choice: what was chosen by held-out loss.
    """

    def __init__(self, name: str, parts: Sequence[FeatureGroup], learner: str) -> None:
        self.name, self.learner = name, learner
        self.labels: list[str] = []
        self._parts = list(parts)
        self.choice = untuned(LEARNERS[learner], self._parts)
        self._linear = Linear(np.zeros((0, 0), np.float32), np.zeros(0, np.float32))

    def fit(self, texts: Sequence[str], labels: Sequence[str], seed: int = 0) -> "LinearClassifier":
        """Learn, and return self. What there is to choose (see `tuning`) is chosen by folds.

        The folds are of these texts alone, with equal contents together, and everything is learned
        anew in each, which terms there are included: a new text has terms that nobody saw. The same
        texts, labels and seed give the same bits. Raises UsageError for fewer than two classes.
        """
        assert len(texts) == len(labels)
        self.labels = classes_of(labels)
        if len(self.labels) < 2:
            found = f"only {self.labels[0]!r}" if self.labels else "no label"
            raise UsageError(f"A classifier needs texts of at least two classes; there is {found}.")
        place = {label: i for i, label in enumerate(self.labels)}
        classes = np.array([place[label] for label in labels])
        raw = [part.open(texts) for part in self._parts]
        learner = LEARNERS[self.learner]
        held_out = _held_out(texts, labels, classes, seed) if self._parts else None
        if held_out is None:
            self.choice = untuned(learner, self._parts)
        else:
            self.choice = tune(learner, self._parts, raw, classes, held_out)
        scales = [part.learn(one) for part, one in zip(self._parts, raw, strict=True)]
        kept = blocks(self._parts, raw, scales, np.arange(len(texts)))
        for part, scale in zip(self._parts, scales, strict=True):
            part.keep(scale)
        rows = side_by_side(kept, self.choice.shares, len(texts))
        self._linear = learner.learn(rows, classes, len(self.labels), self.choice.setting)
        return self

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, L) float64, calibrated. A row depends on its own text only."""
        assert self.labels, "fit first"
        found = [np.zeros((0, len(self.labels)))]
        for start in range(0, len(texts), _AT_ONCE):
            rows = self._rows(texts[start : start + _AT_ONCE])
            found.append(softmax(self.choice.sharpness * self._linear.logits(rows)))
        return np.concatenate(found)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest label of each text; of equal ones the first."""
        return [self.labels[i] for i in self.probabilities(texts).argmax(1)]

    @property
    def features(self) -> list[str]:
        """The names of all F features, part after part."""
        return [name for part in self._parts for name in part.names]

    def explain(self, top: int = 20) -> dict[str, list[Weight]]:
        """For each class the `top` features that speak for it most, the strongest first."""
        weights = self._centred()
        return {label: self._best(weights[i], top) for i, label in enumerate(self.labels)}

    def contributions(self, text: str, top: int = 10) -> dict[str, list[Weight]]:
        """For each class what in this one text speaks for it: feature value times weight."""
        values = self._rows([text]).toarray()[0]
        weights = self._centred() * values
        return {label: self._best(weights[i], top) for i, label in enumerate(self.labels)}

    def _centred(self) -> np.ndarray:
        """(L, F) less the mean over classes: what all classes share changes no probability."""
        weights = self._linear.weights.astype(np.float64)
        effects: np.ndarray = self.choice.sharpness * (weights - weights.mean(0))
        return effects

    def _best(self, weights: np.ndarray, top: int) -> list[Weight]:
        places = np.argsort(-weights, kind="stable")[:top]
        names = self.features
        return [Weight(names[i], float(weights[i])) for i in places if weights[i] > 0]

    def _rows(self, texts: Sequence[str]) -> Matrix:
        rows = [part.transform(texts) for part in self._parts]
        return side_by_side(rows, self.choice.shares, len(texts))

    def save(self, folder: Path) -> None:
        """Write the folder anew: JSON and safetensors, nothing that could run."""
        from safetensors.numpy import save_file

        states = [part.state() for part in self._parts]
        arrays = {"weights": self._linear.weights, "bias": self._linear.bias}
        for i, state in enumerate(states):
            arrays |= {f"parts.{i}.{name}": array for name, array in state.arrays.items()}
        about = {
            "kind": _KIND,
            "version": _VERSION,
            "name": self.name,
            "labels": self.labels,
            "learner": self.learner,
            "choice": self.choice._asdict(),
            "parts": [
                {"kind": part.kind, **state.settings}
                for part, state in zip(self._parts, states, strict=True)
            ],
        }
        with atomic_folder(folder, Claim("a linear classifier")) as aside:
            save_file({n: np.ascontiguousarray(a) for n, a in arrays.items()}, aside / ARRAYS)
            write_json(aside / ABOUT, about)

    @classmethod
    def load(cls, folder: Path) -> "LinearClassifier":
        """What `save` wrote, with the same probabilities. Raises HornbookError for others."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        about = read_json(folder / ABOUT)
        if (
            not isinstance(about, dict)
            or about.get("kind") != _KIND
            or about.get("version") != _VERSION
        ):
            raise HornbookError(
                f"{folder / ABOUT} does not describe a {_KIND} of version {_VERSION}."
            )
        try:
            arrays = load_file(folder / ARRAYS)
            for name, array in arrays.items():
                if not np.isfinite(array).all():
                    raise no_numbers(folder / ARRAYS, name)
            parts = []
            for i, settings in enumerate(about["parts"]):
                kind = KINDS[settings.pop("kind")]
                start = f"parts.{i}."
                own = {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
                parts.append(kind.restore(GroupState(settings, own)))
            found = cls(about["name"], parts, about["learner"])
            found.labels = list(about["labels"])
            setting, shares, sharp = (about["choice"][name] for name in Hyperparameters._fields)
            found.choice = Hyperparameters(float(setting), tuple(map(float, shares)), float(sharp))
            found._linear = Linear(arrays["weights"], arrays["bias"])
            shape = (len(found.labels), len(found.features))
            if len(shares) != len(parts):
                raise ValueError(f"{len(shares)} shares for {len(parts)} parts")
            if found._linear.weights.shape != shape or found._linear.bias.shape != shape[:1]:
                raise ValueError(f"weights of shape {found._linear.weights.shape} for {shape}")
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise HornbookError(f"{folder} holds a broken classifier: {error}.") from None
        return found


def _held_out(
    texts: Sequence[str], labels: Sequence[str], classes: np.ndarray, seed: int
) -> np.ndarray | None:
    """(N,) the fold of each text, or None where folds would leave too little to learn from."""
    if len(texts) < _FEWEST or len(set(texts)) < _FEWEST:
        return None
    rows = [LabelledText("", text, label) for text, label in zip(texts, labels, strict=True)]
    try:
        found = np.array(folds(rows, _FOLDS, seed))
    except UsageError:  # different texts may be equal up to white space
        return None
    enough = all(len(np.unique(classes[found != fold])) > 1 for fold in range(_FOLDS))
    return found if enough else None


def _majority() -> LinearClassifier:
    return LinearClassifier("majority", [], "prior")


def _naive_bayes() -> LinearClassifier:
    return LinearClassifier("naive_bayes", [Terms("words", 1, 1, "counts")], "naive_bayes")


def _handmade() -> LinearClassifier:
    return LinearClassifier("handmade", [Handmade()], "logistic")


def _terms() -> list[FeatureGroup]:
    return [Terms("words", 1, 2, "tfidf"), Terms("characters", 2, 5, "tfidf")]


def _tfidf() -> LinearClassifier:
    return LinearClassifier("tfidf", _terms(), "logistic")


def _handmade_tfidf() -> LinearClassifier:
    return LinearClassifier("handmade_tfidf", [Handmade(), *_terms()], "logistic")


CLASSIFIERS: dict[str, Callable[[], LinearClassifier]] = {
    "majority": _majority,
    "naive_bayes": _naive_bayes,
    "handmade": _handmade,
    "tfidf": _tfidf,
    "handmade_tfidf": _handmade_tfidf,
}
"""From the cheapest to the dearest."""


def make(name: str) -> LinearClassifier:
    """A new classifier by its name. Raises UsageError naming the nearest."""
    if name not in CLASSIFIERS:
        raise unknown("classifier", name, CLASSIFIERS)
    return CLASSIFIERS[name]()
