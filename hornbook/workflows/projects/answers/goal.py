"""What a tuning minimises and how it is measured: the loss of answers, or of preferences."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hornbook.batches.conversations import PackedConversations
from hornbook.batches.preferences import PreferencePairs
from hornbook.batches.taught import TaughtConversations
from hornbook.models.causal_lm import CausalLM
from hornbook.training.forgetting import Scores, example_losses
from hornbook.training.loop import LoopConfig
from hornbook.training.objective import Objective, answer_token
from hornbook.training.preference import Reference, judge, prefer
from hornbook.workflows.projects.answers.request import AnswersPlan, AnswersRequest


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
    batches: PackedConversations | PreferencePairs | TaughtConversations
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


def answers(
    model: CausalLM, parts: Parts, batches: PackedConversations | TaughtConversations
) -> Goal:
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
