"""The forgetting meter: bits per byte of text that a model is not tuned on, before and after."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from hornbook.batches.batch import IGNORE
from hornbook.batches.conversations import Example, stack
from hornbook.core.errors import UsageError
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.models.causal_lm import CausalLM
from hornbook.read.pydocs import read_pydocs
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.loop import LoopConfig
from hornbook.training.objective import token_losses
from hornbook.training.parallel.spread import spread
from hornbook.training.precision import product_type

GENERAL = 48 * 2**10
"""Characters of the general text that are scored."""


class Scores(NamedTuple):
    """Sums and what they are divided by, an item each: an answer, a pair or a window of text.

    right: of pairs, whether the chosen answer gained more.
    """

    sums: list[float]
    counts: list[float]
    right: list[bool] | None = None

    def ratio(self) -> Estimate:
        """Their ratio with its interval over the items."""
        return bootstrap_ratio(self.sums, self.counts)

    def change(self, before: "Scores") -> Estimate:
        """How much the ratio changed since, with the interval of the paired difference."""
        differences = [now - then for now, then in zip(self.sums, before.sums, strict=True)]
        return bootstrap_ratio(differences, self.counts)


class General:
    """Text that the model is not tuned on, in windows of `context` tokens, all of them scored."""

    def __init__(self, text: str, tokenizer: Tokenizer, context: int, loop: LoopConfig) -> None:
        ids = np.array(
            [*(tokenizer.prefix or [tokenizer.eos_id or 0]), *tokenizer.encode(text)], np.int64
        )
        self.windows = [
            Example(part, np.ones(len(part), bool))
            for start in range(0, len(ids) - 1, context)
            if len(part := ids[start : start + context + 1]) > 1
        ]
        self._bytes = [float(len(tokenizer.decode_bytes(w.ids[1:].tolist()))) for w in self.windows]
        self._loop = loop.model_copy(update={"micro_rows": max(1, 1024 // context)})

    def keep(self, places: Sequence[int]) -> None:
        """Score these windows only."""
        self.windows = [self.windows[i] for i in places]
        self._bytes = [self._bytes[i] for i in places]

    def score(self, model: CausalLM) -> Scores:
        """Bits and bytes of each window."""
        nats = example_losses(model, self.windows, self._loop)
        return Scores([n / math.log(2) for n in nats], self._bytes)


def example_losses(
    model: CausalLM, examples: Sequence[Example], loop: LoopConfig, padding: int = 0
) -> list[float]:
    """The loss sum of each example in nats, in their order; those of one length run together."""
    was_training = model.training
    model.eval()
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].ids))
    rows = loop.micro_rows

    def measured(first: int) -> list[float]:
        places = order[first : first + rows]
        longest = len(examples[places[-1]].ids) - 1
        batch = stack([[examples[i]] for i in places], longest, padding)
        with torch.no_grad(), product_type(loop.device, loop.dtype):
            losses = token_losses(model, batch.to(loop.device)).double().cpu()
        assert bool((losses[batch.targets == IGNORE] == 0).all())
        sums: list[float] = losses.sum(1).tolist()
        return sums

    parts = spread(measured, range(0, len(order), rows))
    model.train(was_training)
    found = dict(zip(order, (one for part in parts for one in part), strict=True))
    return [found[place] for place in range(len(examples))]


def general_text(file: Path | None) -> str:
    """The beginning of a user's text, or every third topic of Python's documentation.

    Raises UsageError for a file that is no text.
    """
    if file is None:
        picked = itertools.islice(read_pydocs(), 0, 60, 3)
        return "\n\n".join(document.text for document in picked)[:GENERAL]
    try:
        text = file.read_text(encoding="utf-8")[:GENERAL]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--general {file} cannot be read as UTF-8 text: {error}.") from None
    if not text.strip():
        raise UsageError(f"--general {file} is empty.")
    return text
