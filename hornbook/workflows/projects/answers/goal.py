"""What a tuning minimises and how it is measured: the loss of answers, or of preferences.

Also the forgetting meter: bits per byte of text that the model was not tuned on.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from hornbook.batches.batch import IGNORE
from hornbook.batches.conversations import Example, PackedConversations, stack
from hornbook.batches.preferences import PreferencePairs
from hornbook.core.stats import Estimate, bootstrap_ratio
from hornbook.models.causal_lm import CausalLM
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.loop import LoopConfig
from hornbook.training.objective import Objective, answer_token, token_losses
from hornbook.training.parallel.spread import spread
from hornbook.training.precision import product_type
from hornbook.training.preference import Reference, judge, prefer
from hornbook.workflows.projects.answers.request import AnswersPlan, AnswersRequest


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


class Parts(NamedTuple):
    """Encoded samples: Examples, or Pairs of them for preferences."""

    train: Sequence[Any]
    validation: Sequence[Any]
    test: Sequence[Any]


class Goal(NamedTuple):
    """objective, batches: what is minimised on what. score: of the model as it is now, on the part
    named validation or test, computed as a loop says. before: the same before the first step.
    unit: of both.
    """

    objective: Objective
    batches: PackedConversations | PreferencePairs
    score: Callable[[str, LoopConfig], Scores]
    before: Callable[[str, LoopConfig], Scores]
    unit: str


def goal_of(
    model: CausalLM,
    parts: Parts,
    request: AnswersRequest,
    plan: AnswersPlan,
    loop: LoopConfig,
    padding: int,
) -> Goal:
    """What a task's rows are learned by; the model as it is now is the reference of preferences."""
    if request.task == "preference":
        reference = Reference(model, padding, loop.device, loop.dtype)
        sides = {
            name: PreferencePairs(pairs, reference, plan.rows, request.seed, padding)
            for name, pairs in parts._asdict().items()
        }
        return preferences(model, sides, request.beta)
    batches = PackedConversations(parts.train, plan.context, plan.rows, request.seed, padding)
    return answers(model, parts, batches)


def answers(model: CausalLM, parts: Parts, batches: PackedConversations) -> Goal:
    """The next token of answers, packed; nats an answer token."""

    def score(part: str, loop: LoopConfig) -> Scores:
        examples = getattr(parts, part)
        sums = example_losses(model, examples, loop, batches.padding)
        return Scores(sums, [float(example.trained[1:].sum()) for example in examples])

    return Goal(answer_token, batches, score, score, "nats an answer token")


def preferences(model: CausalLM, sides: dict[str, PreferencePairs], beta: float) -> Goal:
    """Direct preference optimisation; nats a pair."""

    def score(part: str, loop: LoopConfig) -> Scores:
        found = judge(model, sides[part], loop.micro_rows, beta, loop.device, loop.dtype)
        return Scores(found.losses, [1.0] * len(found.losses), found.right)

    def before(part: str, loop: LoopConfig) -> Scores:
        # By eq. 7 nothing is gained over oneself yet: the time is better spent on what will be
        # compared with.
        sides[part].judge()
        count = len(sides[part].pairs)
        return Scores([math.log(2)] * count, [1.0] * count, [False] * count)

    return Goal(prefer(beta), sides["train"], score, before, "nats a pair")


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
