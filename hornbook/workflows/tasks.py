"""What a kind of text model is trained to do: continue text, or fill in hidden words.

A task is what the workflow of pretraining needs to know of a family, as one value. Knows the front
doors of batches, train and the samplers; computes nothing itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from hornbook.batches.masking import MaskedWindows, Windows, Words
from hornbook.corpus.build import Corpus
from hornbook.models.masked_lm import MaskedLM
from hornbook.models.model import Model
from hornbook.tokenize.masking import MASK, word_parts
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.train.objective import (
    Objective,
    masked_losses,
    masked_token,
    next_token,
    token_losses,
)
from hornbook.train.validation import Losses
from hornbook.workflows.samples import Filler, Sampler


class Samples(Protocol):
    """Shows what a model makes of held-out text."""

    def sample(self, seed: int) -> dict[str, Any]: ...


class Task(NamedTuple):
    """name: for reports. losses: of each target, for validation. masked: words are hidden.

    view: windows of next tokens as what the objective learns from, given a tokenizer and a seed.
    """

    name: str
    objective: Objective
    losses: Losses
    masked: bool
    view: Callable[[Windows, Tokenizer, int], Windows]
    samples: Callable[[Corpus, Model, Tokenizer], Samples]


def _hidden(windows: Windows, tokenizer: Tokenizer, seed: int) -> Windows:
    """Windows with whole words hidden."""
    (mask_id,) = (i for i in tokenizer.special_ids if tokenizer.decode([i]) == MASK)
    ordinary = np.setdiff1d(np.arange(tokenizer.vocab_size), list(tokenizer.special_ids))
    return MaskedWindows(windows, ordinary, mask_id, seed, Words(*word_parts(tokenizer)))


CONTINUE = Task("continue", next_token, token_losses, False, lambda w, tokenizer, seed: w, Sampler)
FILL = Task("fill", masked_token, masked_losses, True, _hidden, Filler)


def task_of(model: Model) -> Task:
    """What a text model is trained to do."""
    return FILL if isinstance(model, MaskedLM) else CONTINUE
