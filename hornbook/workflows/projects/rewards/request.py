"""What a tuning on rewards is asked for, how its sizes follow from the rows, what was settled."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from hornbook.adapt.method import Method
from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.datasets.split import NothingToLearn
from hornbook.evaluate.rewards import REWARDS, json_schema, reward_of
from hornbook.evaluate.rewards.contract import Reward
from hornbook.read.formats.lines import Fault
from hornbook.training.choices import Choice, Planned
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.open.asked import schema_of
from hornbook.workflows.runs.recipe import Recipe
from hornbook.workflows.runs.tuning import TuningRequest, adamw_rates

SCHEDULE = ScheduleConfig(warmup=0.05, cooldown=0.5)
_ROWS, _GROUP = 4, 8
_TOKENS_AT_ONCE = 1024
_LONGEST = 1024
"""Tokens of a prompt and its answer: more take minutes for a step on a CPU."""
_RATES = {"full": 1e-5, "last": 5e-5, "head": 2e-4, "lora": 3e-4}
_BETAS = 0.9, 0.95


class RewardsRequest(TuningRequest):
    """What the user asked for.

    reward: one of REWARDS. json_schema: that answers to all rows must fit, as text. rate, rows,
    group_size, max_tokens: the user's word, or None to derive. beta: what a nat of distance from
    the model as it was costs an answer, in units of the reward.
    """

    reward: str
    json_schema: str | None = None
    rate: float | None = Field(default=None, gt=0, lt=1)
    rows: int | None = Field(default=None, ge=1, le=4096)
    group_size: int | None = Field(default=None, ge=2, le=1024)
    max_tokens: int | None = Field(default=None, ge=1)
    beta: float = Field(default=0.01, ge=0, allow_inf_nan=False)

    @classmethod
    def asked(cls, values: Mapping[str, Any]) -> "RewardsRequest":
        """Of plain values, None where nothing was said. Raises UsageError for what cannot be
        meant."""
        given = {name: value for name, value in values.items() if value is not None}
        given.pop("task", None)
        if "reward" not in given:
            names = ", ".join(REWARDS)
            raise UsageError(f"Say what is rewarded: --reward NAME, or --set reward=NAME: {names}.")
        reward_of(given["reward"])
        method = Method.parse(given.get("method", "lora"))
        if "json_schema" in given:
            given["json_schema"] = _schema_text(given["json_schema"])
        return cls.parse({**given, "method": method.plain()}, "finetune")

    def check(self) -> None:
        super().check()
        if self.json_schema is not None and self.reward != "json":
            raise UsageError("--json-schema goes with --reward json.")

    @property
    def most_tokens(self) -> tuple[int, str]:
        """Of an answer, and why so many."""
        if self.max_tokens is not None:
            return self.max_tokens, "as asked for"
        return self.program.tokens, f"usual for the reward {self.reward}"

    @property
    def program(self) -> Reward:
        """What says what an answer is worth."""
        return reward_of(self.reward)


def _schema_text(given: Any) -> str:
    """A schema, its text or its file, as it is kept. Raises UsageError for what is none."""
    found = json_schema.checked(schema_of(given))
    if isinstance(found, Fault):
        raise UsageError(f"--json-schema cannot be used: {found.detail}.")
    return found


class RewardsPlan(Config):
    """context: tokens of a prompt and its answer. rows: prompts of a step, with group_size answers
    each, of max_tokens at most. micro_rows: answers at once."""

    context: int
    rows: int
    group_size: int
    max_tokens: int
    micro_rows: int
    optimiser: OptimiserConfig


class RewardsRecipe(Recipe):
    """What was settled before the first step."""

    request: RewardsRequest
    plan: RewardsPlan


def plan_of(
    request: RewardsRequest, lengths: Sequence[int], context: int, width: int
) -> Planned[RewardsPlan]:
    """Sizes that fit prompts of such lengths (tokens). context, width: of the model.

    Raises UsageError for an answer longer than the model's context, NothingToLearn when no prompt
    leaves room for one.
    """
    most, why = request.most_tokens
    if most >= context:
        raise UsageError(f"--max-tokens {most}: the model sees {context} tokens.")
    longest = min(context, _LONGEST if most < _LONGEST // 2 else 2 * most)
    if min(lengths) + most > longest:
        raise NothingToLearn(
            f"The shortest prompt has {min(lengths)} tokens; with {most} of an answer a row takes "
            f"{longest}. Lower --max-tokens."
        )
    chosen = max(length for length in lengths if length + most <= longest) + most
    rows, group = request.rows or _ROWS, request.group_size or _GROUP
    optimiser, why_rate = adamw_rates(_RATES, request.method, width, request.rate, _BETAS)
    at_once = max(1, _TOKENS_AT_ONCE // chosen)
    plan = RewardsPlan(
        context=chosen, rows=rows, group_size=group, max_tokens=most,
        micro_rows=min(at_once, rows * group), optimiser=optimiser,
    )  # fmt: skip
    choices = [
        Choice("max_tokens", most, why),
        Choice("group_size", group, "answers to a prompt, each judged beside the others"),
        Choice("rows", rows, "prompts a step"),
        Choice("rate", optimiser.matrix_rate, why_rate),
    ]
    return Planned(plan, choices)
