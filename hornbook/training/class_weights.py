"""The objective of classifiers whose classes are of different sizes: the rare count for more."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.batches.labelled import LabelledBatch
from hornbook.models.classifier import ClassifierHead, ClassifierNetwork
from hornbook.training.objective import Objective


def balanced(labels: np.ndarray, count: int) -> Tensor:
    """(L,) float32: N / (L n) for a class of n of the N labels, so that all weigh the same.

    Their mean over the labels is 1: the scale of loss and learning rates stays. A class without
    examples has weight 0, as nothing is asked of it.
    """
    sizes = np.bincount(labels, minlength=count)
    weights = np.where(sizes > 0, len(labels) / (count * np.maximum(sizes, 1)), 0.0)
    return torch.from_numpy(weights).float()


def weighted_class_label(weights: Tensor) -> Objective:
    """`class_label` with a weight (L,) for each class; the loss is a sum over rows, as there."""

    def objective(model: nn.Module, batch: Any) -> tuple[Tensor, int]:
        assert isinstance(model, ClassifierNetwork | ClassifierHead) and isinstance(
            batch, LabelledBatch
        )
        logits = model(batch.inputs, batch.valid).float()
        each = weights.to(logits.device)
        loss = F.cross_entropy(logits, batch.labels, weight=each, reduction="sum")
        return loss, len(batch.labels)

    return objective
