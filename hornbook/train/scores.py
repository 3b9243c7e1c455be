"""How often a model is right: labels of classes, hidden words. With intervals.

Knows families and batches; knows nothing of training.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.batches.batch import AnyBatch, Batch
from hornbook.batches.labelled import Labelled
from hornbook.core.machine import DType
from hornbook.core.stats import Estimate, wilson
from hornbook.models.classifier import Classifier
from hornbook.models.masked_lm import MaskedLM
from hornbook.train.objective import masked_features
from hornbook.train.precision import product_type

Answers = Callable[[nn.Module, Any], tuple[Tensor, Tensor]]
"""(model, batch) -> logits (N, K) and the right answers (N,)."""


class Accuracy(NamedTuple):
    """accuracy with its interval (Wilson); nats: the mean loss; answers: how many were scored."""

    accuracy: Estimate
    nats: float
    answers: int


def score(
    model: nn.Module, answers: Answers, batches: Iterable[AnyBatch], device: str, dtype: DType
) -> Accuracy:
    """Measure `model`; it is left in the mode (training or not) in which it came."""
    was_training = model.training
    model.eval()
    right, nats, count = 0, 0.0, 0
    for batch in batches:
        with torch.no_grad(), product_type(device, dtype):
            logits, wanted = answers(model, batch.to(device))
        nats += float(F.cross_entropy(logits.float(), wanted, reduction="sum"))
        right += int((logits.argmax(1) == wanted).sum())
        count += len(wanted)
    model.train(was_training)
    return Accuracy(wilson(right, count), nats / max(1, count), count)


def labels(model: nn.Module, batch: Labelled) -> tuple[Tensor, Tensor]:
    """The answers of classifiers."""
    assert isinstance(model, Classifier)
    return model(batch.inputs, batch.valid), batch.labels


def hidden_tokens(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """The answers of encoders that fill in words, at the hidden places."""
    assert isinstance(model, MaskedLM)
    x, targets = masked_features(model, batch)
    return model.head(x), targets
