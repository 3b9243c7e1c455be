"""How often a classifier is right, and on what it was asked. With intervals."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from hornbook.batches.labelled import LabelledBatch
from hornbook.core.machine import DType
from hornbook.core.stats import Estimate, wilson
from hornbook.models.classifier import ClassifierNetwork
from hornbook.training.parallel.spread import spread
from hornbook.training.precision import product_type


class Scored(NamedTuple):
    """accuracy with its interval (Wilson); nats: the mean loss.

    guesses, labels: (N,) int64, the likeliest class and the right one. sure: (N,) float32, the
    probability of the guess.
    """

    accuracy: Estimate
    nats: float
    guesses: np.ndarray
    labels: np.ndarray
    sure: np.ndarray


def score(
    model: ClassifierNetwork, batches: Iterable[LabelledBatch], device: str, dtype: DType
) -> Scored:
    """Measure `model`; it is left in the mode (training or not) in which it came."""
    was_training = model.training
    model.eval()

    def measured(batch: LabelledBatch) -> tuple[list[int], list[int], list[float], float]:
        moved = batch.to(device)
        with torch.no_grad(), product_type(device, dtype):
            logits = model(moved.inputs, moved.valid).float()
        nats = float(F.cross_entropy(logits, moved.labels, reduction="sum"))
        best = logits.softmax(1).max(1)
        return best.indices.tolist(), batch.labels.tolist(), best.values.tolist(), nats

    guesses, labels, sure, nats = zip(*spread(measured, batches), strict=True)
    model.train(was_training)
    guessed, right = np.concatenate(guesses), np.concatenate(labels)
    accuracy = wilson(int((guessed == right).sum()), len(right))
    sureness = np.concatenate(sure).astype(np.float32)
    return Scored(accuracy, sum(nats) / len(right), guessed, right, sureness)
