"""What a kind of text model is trained to do: continue text, or fill in hidden words.

A task is what the workflow of pretraining needs to know of a family, as one value. It joins
objectives, batches and samplers, and computes nothing itself.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from hornbook.batches.masking import MaskedWindows, Windows, WordBoundaries
from hornbook.core.errors import UsageError
from hornbook.corpus.corpus import Corpus
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.masked_lm import MaskedLMConfig
from hornbook.models.model import Model, ModelConfig
from hornbook.tokenize.masking import MASK, word_parts
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.objective import (
    Objective,
    masked_losses,
    masked_token,
    next_token,
    token_losses,
)
from hornbook.training.validation import Losses
from hornbook.workflows.projects.text.samples import Filler, Sampler


class Samples(Protocol):
    """Shows what a model makes of held-out text."""

    def sample(self, seed: int) -> dict[str, Any]: ...


class TextTask(NamedTuple):
    """What is done with one tokenizer. name: for reports. losses: of each target, for validation.

    masked: words are hidden. view: windows of next tokens as what the objective learns from, given
    a seed.
    """

    name: str
    objective: Objective
    losses: Losses
    masked: bool
    view: Callable[[Windows, int], Windows]
    samples: Callable[[Corpus, Model], Samples]


def task_of(config: ModelConfig, tokenizer: Tokenizer) -> TextTask:
    """What a text model is trained to do, with its tokenizer."""
    if isinstance(config, MaskedLMConfig):
        return _fill(tokenizer)
    return TextTask(
        name="continue",
        objective=next_token,
        losses=token_losses,
        masked=False,
        view=lambda windows, seed: windows,
        samples=lambda corpus, model: Sampler(corpus, model, tokenizer),
    )


def check_task(config: ModelConfig, place: Path) -> None:
    """Raises UsageError for a model that text alone does not train."""
    if not isinstance(config, CausalLMConfig | MaskedLMConfig):
        raise UsageError(
            f"{place} neither continues text nor fills in words; pretraining cannot go on from it."
        )


def _fill(tokenizer: Tokenizer) -> TextTask:
    (mask_id,) = (i for i in tokenizer.special_ids if tokenizer.decode([i]) == MASK)
    ordinary = np.setdiff1d(np.arange(tokenizer.vocab_size), list(tokenizer.special_ids))
    words = WordBoundaries(*word_parts(tokenizer))
    return TextTask(
        name="fill",
        objective=masked_token,
        losses=masked_losses,
        masked=True,
        view=lambda windows, seed: MaskedWindows(windows, ordinary, mask_id, seed, words),
        samples=lambda corpus, model: Filler(corpus, model, tokenizer),
    )
