"""Sizes that must fit each other: ids and embeddings, samples and context, weights and numbers."""

from typing import Any

import torch

from hornbook.models.folder import load_config
from hornbook.tokenize.sequences import open_tokenizer
from hornbook.workflows.doctor.diagnosis import (
    Diagnosis,
    beside_the_point,
    check,
    doubtful,
    faulty,
    sound,
)
from hornbook.workflows.doctor.looking import first_batches, rows_of
from hornbook.workflows.doctor.subject import Subject

_STEPS = 50
_SPARE = 1.25
"""Times as many embeddings as ids: more are weights for nothing."""
_ROUNDED = 512
"""Embeddings that sizes are rounded up to elsewhere."""


@check("sizes", "Tokenizer, embedding and context fit")
def fitting(subject: Subject) -> Diagnosis:
    """Every id has an embedding, and every sample has its place in the context."""
    config, tokenizer = _opened(subject)
    if config is None or tokenizer is None or config.vocab is None:
        return beside_the_point("no tokens are read here")
    ids, embeddings = tokenizer.vocab_size, config.vocab
    if ids > embeddings:
        return faulty(
            f"the tokenizer gives ids up to {ids - 1:,}, but there are {embeddings:,} embeddings",
            "Take the tokenizer that the model was trained with.",
        )
    longest = _longest(subject)
    if longest > config.context:
        return faulty(
            f"a row has {longest:,} tokens, but the model sees {config.context:,}",
            "Lower --context of the rows, or take a model with a longer one.",
        )
    if embeddings > _SPARE * ids + _ROUNDED:
        return doubtful(
            f"{embeddings - ids:,} of {embeddings:,} embeddings belong to no token",
            "Train with a --vocab-size near what the tokenizer has.",
        )
    return sound(f"{ids:,} ids, {embeddings:,} embeddings, context {config.context:,}")


def _opened(subject: Subject) -> tuple[Any, Any]:
    """The config of the network, and the tokenizer that reads for it."""
    if subject.problem is not None:
        return getattr(subject.problem.model, "config", None), subject.tokenizer
    if subject.model is None:
        return None, None
    config = load_config(subject.model)
    return config, open_tokenizer(subject.model) if config.vocab is not None else None


def _longest(subject: Subject) -> int:
    """Tokens of the longest row in the first steps."""
    if subject.problem is None:
        return 0
    batches = (rows_of(batch) or batch for batch in first_batches(subject.problem, _STEPS))
    widths = [_width(part) for batch in batches for part in batch if isinstance(part, torch.Tensor)]
    return max(widths, default=0)


def _width(tensor: torch.Tensor) -> int:
    return tensor.shape[1] if tensor.dim() == 2 and not tensor.is_floating_point() else 0


@check("weights", "All weights are numbers")
def finite(subject: Subject) -> Diagnosis:
    """Of a model that is there; that it can be read whole is part of it."""
    if subject.model is not None:
        model: torch.nn.Module = subject.network()
    elif subject.problem is not None:
        model = subject.problem.model
    else:
        return beside_the_point("there is no network here")
    for name, weight in model.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            return faulty(
                f"{name} holds NaN or infinite weights", "Take an earlier checkpoint or a copy."
            )
    count = sum(weight.numel() for weight in model.parameters())
    return sound(f"{count:,} weights looked at")
