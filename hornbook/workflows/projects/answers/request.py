"""What a tuning is asked for, how its sizes follow from the rows, what was settled."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from hornbook.adapt.method import Method
from hornbook.core.config import Config
from hornbook.core.errors import UsageError, unknown
from hornbook.datasets.split import NothingToLearn
from hornbook.training.choices import Choice, Planned
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.runs.recipe import Recipe
from hornbook.workflows.runs.tuning import TuningRequest, adamw_rates

Task = Literal["instruct", "continue", "translate", "summarize", "preference"]
TASKS: tuple[Task, ...] = ("instruct", "continue", "translate", "summarize", "preference")

SCHEDULE = ScheduleConfig(warmup=0.06, cooldown=0.94)

_LONGEST, _SHORTEST = 1024, 64
_STEPS_AN_EPOCH, _FEWEST_TOKENS, _MOST_TOKENS = 40, 1024, 8192
_TOKENS_AT_ONCE = 1024
_PREFERENCES_A_STEP = 8
_COVERED = 0.995
_RATES = {"full": 5e-5, "last": 1e-4, "head": 1e-3, "lora": 5e-4}
_BETAS = 0.9, 0.98
_PREFERENCE = 0.2
"""Share of the rates that preferences bear: the reference is never far."""


class AnswersRequest(TuningRequest):
    """What the user asked for.

    minutes, epochs: how long, at most one of both. rate, context: the user's word, or None to
    derive. beta: of preferences, how strongly the model is held to what it was.
    """

    task: Task = "instruct"
    rate: float | None = Field(default=None, gt=0, lt=1)
    context: int | None = Field(default=None, ge=8)
    beta: float = Field(default=0.1, gt=0)

    @classmethod
    def asked(cls, values: Mapping[str, Any]) -> "AnswersRequest":
        """Of plain values, None where nothing was said. Raises UsageError for what cannot be
        meant."""
        given = {name: value for name, value in values.items() if value is not None}
        if (task := given.get("task", "instruct")) not in TASKS:
            known = ("classify", "embed", "rerank", "reward", "distil", *TASKS)
            raise unknown("task", str(task), known)
        method = Method.parse(given.get("method", "lora"))
        return cls.parse({**given, "method": method.plain()}, "finetune")


class AnswersPlan(Config):
    """context: tokens of a row. rows: of a step; for preferences, pairs. micro_rows: at once."""

    context: int
    rows: int
    micro_rows: int
    optimiser: OptimiserConfig


class AnswersRecipe(Recipe):
    """What was settled before the first step."""

    request: AnswersRequest
    plan: AnswersPlan


def rates(
    method: Method, width: int, rate: float | None, preference: bool = False
) -> tuple[OptimiserConfig, str]:
    """How weights move, and why so."""
    share = _PREFERENCE if preference else 1.0
    usual = {kind: share * each for kind, each in _RATES.items()}
    return adamw_rates(usual, method, width, rate, _BETAS)


def plan_of(
    request: AnswersRequest, lengths: Sequence[int], context: int, width: int
) -> Planned[AnswersPlan]:
    """Sizes that fit the samples' lengths (tokens). context, width: of the model.

    Raises UsageError for a wish beyond the model's context, NothingToLearn when no sample fits.
    """
    longest = min(context, _LONGEST)
    if request.context is not None:
        if request.context > context:
            raise UsageError(f"--context {request.context}: the model sees {context} tokens.")
        chosen, reason = request.context, "as asked for"
    else:
        most, wanted = max(lengths), int(np.quantile(lengths, _COVERED, method="higher"))
        covers_all = most <= 1.5 * wanted
        wanted = most if covers_all else wanted
        chosen = min(longest, max(_SHORTEST, -(-wanted // 32) * 32))
        samples = "all samples" if covers_all else f"{_COVERED:.1%} of the samples"
        reason = f"{samples} have at most {wanted:,} tokens"
        if wanted > longest:
            reason = f"{reason}, but a row holds {longest:,} at most"
    if min(lengths) > chosen:
        raise NothingToLearn(
            f"The shortest sample has {min(lengths)} tokens and a row takes {chosen}."
        )
    if request.task == "preference":
        rows, at_once = _PREFERENCES_A_STEP, max(1, _TOKENS_AT_ONCE // (2 * chosen))
        why_rows = "pairs a step"
    else:
        total = sum(length for length in lengths if length <= chosen)
        tokens = min(_MOST_TOKENS, max(_FEWEST_TOKENS, total // _STEPS_AN_EPOCH))
        rows, at_once = max(1, round(tokens / chosen)), max(1, _TOKENS_AT_ONCE // chosen)
        why_rows = f"{rows * chosen:,} tokens a step; samples share rows"
    optimiser, why = rates(request.method, width, request.rate, request.task == "preference")
    plan = AnswersPlan(
        context=chosen, rows=rows, micro_rows=min(rows, at_once), optimiser=optimiser
    )
    choices = [
        Choice("context", chosen, reason),
        Choice("rows", rows, why_rows),
        Choice("rate", optimiser.matrix_rate, why),
    ]
    return Planned(plan, choices)
