"""What a tuning on questions is asked for, and what was settled."""

from pydantic import Field

from hornbook.adapt.method import Method
from hornbook.core.config import Config
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.runs.recipe import Recipe, TimedRequest

SCHEDULE = ScheduleConfig(warmup=0.1, cooldown=0.9)
ROWS = 32
"""Pairs of a step: a question is told from 31 other passages."""
TEMPERATURE = 0.05
"""Of cosines: what sentence encoders are tuned with (Gao et al. 2021)."""
_RATES = {"full": 5e-5, "last": 1e-4, "lora": 1e-3}
_WIDTH = 384


class QuestionsRequest(TimedRequest):
    """What the user asked for.

    base, data: fingerprints of the weights and of the files. rate, context: the user's word, or
    None to derive.
    """

    method: Method
    base: str = ""
    data: tuple[str, ...] = ()
    rate: float | None = Field(default=None, gt=0, lt=1)
    context: int | None = Field(default=None, ge=8)


class QuestionsPlan(Config):
    """context: tokens of a text. rows: pairs of a step."""

    context: int
    rows: int
    optimiser: OptimiserConfig


class QuestionsRecipe(Recipe):
    """What was settled before the first step."""

    request: QuestionsRequest
    plan: QuestionsPlan


def rates(method: Method, width: int, rate: float | None) -> tuple[OptimiserConfig, str]:
    """How weights move, and why so: AdamW for all; a wider encoder bears smaller steps."""
    share = 1.0 if method.kind == "lora" else min(1.0, _WIDTH / width)
    chosen = share * _RATES[method.kind] if rate is None else rate
    reason = f"for {method} at width {width}" if rate is None else "as asked for"
    config = OptimiserConfig(
        matrix_rule="adamw",
        matrix_rate=chosen,
        embedding_rate=chosen,
        head_rate=chosen,
        scalar_rate=chosen,
        betas=(0.9, 0.98),
    )
    return config, reason
