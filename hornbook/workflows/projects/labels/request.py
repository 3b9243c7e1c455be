"""What a run on labelled texts is asked for, and what was settled before its first step."""

from typing import ClassVar, Literal

from pydantic import Field, PositiveInt

from hornbook.adapt.method import Method
from hornbook.core.config import Config
from hornbook.nn.pooling import PoolingConfig
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.runs.recipe import Recipe, Request


class WantedLabels(Config):
    """The sizes that the user set. rows: texts a step. width, depth: of a backbone begun afresh."""

    rows: PositiveInt | None = None
    width: PositiveInt | None = None
    depth: PositiveInt | None = None


class LabelsPlan(Config):
    """rows: texts a step. width, depth: channels and blocks. context: tokens of a text that are
    read at most.

    The others are settled by the time there is. validation: texts looked at. vectors: training
    texts that a backbone which stays reads. patience: evaluations without a better one that end it.
    """

    rows: PositiveInt
    width: PositiveInt
    depth: PositiveInt
    context: PositiveInt
    validation: int | None = None
    vectors: int | None = None
    patience: int | None = None


class LabelsRequest(Request):
    """What the user asked for.

    body: a preset, or the fingerprint of a model's weights. data: of the texts. minutes, epochs:
    at most so long and so many passes. class_weights: balanced lets rare labels count for more;
    probabilities are then those of labels equally frequent. pooling: None for what suits the
    backbone. answering: texts that are read afterwards, for which the minutes must suffice too.
    least_steps: where there is time for fewer, nothing is trained.
    """

    length: ClassVar[tuple[str, ...]] = ()
    length_needed: ClassVar[bool] = False

    method: Method
    body: str = ""
    data: str = ""
    text_column: str | None = None
    label_column: str | None = None
    epochs: float = Field(gt=0, le=10_000)
    class_weights: Literal["balanced", "none"] = "none"
    plan: WantedLabels = WantedLabels()
    optimiser: OptimiserConfig
    schedule: ScheduleConfig
    pooling: PoolingConfig | None = None
    answering: int = Field(default=0, ge=0)
    least_steps: PositiveInt = 1


class LabelsRecipe(Recipe):
    """What was settled before the first step."""

    request: LabelsRequest
    plan: LabelsPlan
