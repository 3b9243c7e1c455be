"""Open what labels texts, however it was made: a tuned model, or one on hand-made features.

Knows folders and both kinds; computes nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from hornbook.baselines import linear_classifier as linear
from hornbook.core.errors import UsageError
from hornbook.core.machine import pick_device
from hornbook.models.classifier import Classifier, ClassifierConfig
from hornbook.models.folder import load_config, load_model
from hornbook.models.place import resolve
from hornbook.models.text_classifier import TextClassifier
from hornbook.tokenize.sequences import SequenceTokenizer


class Labeller(Protocol):
    """labels: the classes in the order of the columns of `probabilities`."""

    @property
    def labels(self) -> Sequence[str]: ...

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(N, L) float64, rows that sum to 1."""


def open_classifier(path: Path, device: str | None = None) -> Labeller:
    """The classifier of a model or run folder, ready to label.

    device: "cpu", "cuda", or None for the best there is. Raises UsageError or HornbookError naming
    what is missing, or that the model is none that labels texts.
    """
    if (place := _linear(path)) is not None:
        return linear.LinearClassifier.load(place)
    folder, device = resolve(path), pick_device(device)
    model = load_model(folder, device).eval()
    if not isinstance(model, Classifier):
        raise UsageError(
            f"{folder} holds no classifier. Make one of it with: hornbook finetune {path} "
            "--task classify --data FILE --out RUN"
        )
    if model.config.vocab is None:
        raise UsageError(f"{folder} labels images, not texts.")
    return TextClassifier(model, SequenceTokenizer.load(folder))


def holds_classifier(path: Path) -> bool:
    """Whether `open_classifier` would open it. Raises UsageError where there is no model at all."""
    return _linear(path) is not None or isinstance(load_config(path), ClassifierConfig)


def _linear(path: Path) -> Path | None:
    """Where the classifier on hand-made features is, if it is one."""
    places = (path, path / "model")
    return next((place for place in places if (place / linear.ABOUT).is_file()), None)
