"""What a tuning on questions is asked for, and what was settled."""

from typing import Literal

from pydantic import Field

from hornbook.adapt.method import Method
from hornbook.core.config import Config
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.runs.recipe import Recipe, TimedRequest

SCHEDULE = ScheduleConfig(warmup=0.1, cooldown=0.9)
ROWS = 32
"""Pairs of a step: a question is told from 31 other passages."""
GROUPS, WRONG = 8, 3
"""Questions of a step of a cross-encoder, and the wrong passages beside each right one."""
TEMPERATURE = 0.05
"""Of cosines: what sentence encoders are tuned with (Gao et al. 2021)."""
_RATES = {"full": 5e-5, "last": 1e-4, "lora": 1e-3, "head": 3e-3}
_GENTLE = 0.4
"""Share of these for an encoder that makes vectors: it knows nearly all there is to learn, and
forgets at more (docs/log.md)."""
_HEAD_RATE = 1e-3
"""Of a head that is new."""
_WIDTH = 384


Task = Literal["embed", "rerank"]


class QuestionsRequest(TimedRequest):
    """What the user asked for.

    task: whether texts are read apart, as vectors, or question and passage together. base, data:
    fingerprints of the weights and of the files. rate, context: the user's word, or None to derive.
    """

    task: Task = "embed"
    method: Method
    base: str = ""
    data: tuple[str, ...] = ()
    rate: float | None = Field(default=None, gt=0, lt=1)
    context: int | None = Field(default=None, ge=8)


class QuestionsPlan(Config):
    """context: tokens of a text, or of a question and a passage. rows: questions of a step. wrong:
    passages that each stands beside where both are read together."""

    context: int
    rows: int
    wrong: int = 0
    optimiser: OptimiserConfig


class QuestionsRecipe(Recipe):
    """What was settled before the first step."""

    request: QuestionsRequest
    plan: QuestionsPlan


def rates(request: QuestionsRequest, width: int) -> tuple[OptimiserConfig, str]:
    """How weights move, and why so: AdamW for all; a wider encoder bears smaller steps."""
    method = request.method
    share = 1.0 if method.kind == "lora" else min(1.0, _WIDTH / width)
    share *= _GENTLE if request.task == "embed" else 1.0
    chosen = share * _RATES[method.kind] if request.rate is None else request.rate
    new = request.task == "rerank" and request.rate is None
    reason = f"for {method} at width {width}" if request.rate is None else "as asked for"
    config = OptimiserConfig(
        matrix_rule="adamw",
        matrix_rate=chosen,
        embedding_rate=chosen,
        head_rate=max(chosen, _HEAD_RATE) if new else chosen,
        scalar_rate=chosen,
        betas=(0.9, 0.98),
    )
    return config, reason
