"""What a distillation is asked for beside a tuning, and what was settled."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from hornbook.adapt.method import Method
from hornbook.core.errors import UsageError
from hornbook.training.distillation import Teaching
from hornbook.training.optimiser import OptimiserConfig
from hornbook.workflows.projects.answers.request import (
    AnswersPlan,
    AnswersRecipe,
    AnswersRequest,
)


class DistilRequest(AnswersRequest):
    """What the user asked for.

    task: what the rows are, conversations ("instruct") or texts ("continue"), by what is found in
    them. teacher: fingerprint of its weights; "" for none: the same tuning by the data alone.
    teacher_weight, temperature, divergence: see `Teaching`. top_k: tokens whose probabilities are
    stored of each target. on_policy: share of the steps, the last ones, that learn from what the
    student writes as well. written: tokens of such a text, at most. compare: whether the same
    tuning is made without a teacher as well, in the same time, to be compared with.
    """

    teacher: str = ""
    teacher_weight: float = Field(default=0.9, ge=0.0, le=1.0)
    temperature: float = Field(default=1.0, ge=0.1, le=20.0)
    top_k: int = Field(default=32, ge=1, le=1024)
    on_policy: float = Field(default=0.2, ge=0.0, le=0.9)
    divergence: float = Field(default=0.5, ge=0.0, le=1.0)
    written: int = Field(default=48, ge=4, le=1024)
    compare: bool = True

    @classmethod
    def asked(cls, values: Mapping[str, Any]) -> "DistilRequest":
        given = {name: value for name, value in values.items() if value is not None}
        given.pop("task", None)  # the rows say it
        method = Method.parse(given.get("method", "full"))
        return cls.parse({**given, "method": method.plain()}, "finetune")

    @property
    def teaching(self) -> Teaching:
        return Teaching(self.teacher_weight, self.temperature, self.divergence)

    def alone(self) -> "DistilRequest":
        """The same without a teacher, for as long as it is given."""
        none = {"teacher": "", "teacher_weight": 0.0, "on_policy": 0.0, "compare": False}
        return self.model_copy(update={**none, "minutes": None, "epochs": None})

    def check(self) -> None:
        super().check()
        if self.prompt is not None:
            raise UsageError("--prompt does not go with --task distil: rows are taken as they are.")


class DistilPlan(AnswersPlan):
    """taught: samples to learn from that the teacher was asked about. own_texts: texts that the
    student goes on with to be measured. Both None before they are settled."""

    taught: int | None = None
    own_texts: int | None = None


class DistilRecipe(AnswersRecipe):
    """What was settled before the first step."""

    request: DistilRequest
    plan: DistilPlan


def rates(rate: float | None) -> tuple[OptimiserConfig, str]:
    """How all weights move, as where pretraining goes on from a model: a teacher says more than a
    few rows do, so there is more to learn than in a tuning."""
    usual = OptimiserConfig().gentle()
    if rate is None:
        return usual, "of matrices, as where pretraining goes on"
    names = ("matrix_rate", "embedding_rate", "head_rate", "scalar_rate")
    share = rate / usual.matrix_rate
    scaled = {name: share * getattr(usual, name) for name in names}
    return usual.model_copy(update=scaled), "as asked for"
