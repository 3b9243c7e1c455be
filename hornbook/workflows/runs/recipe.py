"""What a run was asked for and what was settled before its first step: recipe.yaml.

The recipe holds all that a resumed or repeated run needs to give the same bits.
"""

from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, SerializeAsAny

from hornbook.core.config import Config, read_recipe
from hornbook.core.errors import UsageError
from hornbook.core.files import write_text
from hornbook.core.folders import sign
from hornbook.core.machine import DType, Machine
from hornbook.core.yaml_text import write_yaml
from hornbook.training.choices import Choice
from hornbook.training.fits import check_fits
from hornbook.training.forecast import Forecast
from hornbook.training.loop import LoopConfig
from hornbook.workflows.runs import folder as layout

LEAST_MINUTES, MOST_MINUTES, MOST_TOKENS, MOST_STEPS = 0.1, 525_600.0, 10**15, 10**12
"""What can be meant: a year, and more tokens and steps than there are years for."""
EPOCHS = 3
"""Of a tuning, where neither minutes nor epochs are given."""
MOST_EVALUATIONS, MOST_SAMPLES = 12, 5
"""How often a run looks at its model, at most."""


def check_minutes(minutes: float, least: float) -> None:
    """Raises UsageError for a time too short to learn anything, beyond all use, or no number."""
    if not least <= minutes <= MOST_MINUTES:
        raise UsageError(f"--minutes {minutes:g}: must be {least:g} to {MOST_MINUTES:,.0f}.")


class Request(Config):
    """What is asked of a run, whatever it learns.

    dtype, device: the user's word, or None to measure. length: the fields that say how long to
    train, of which one must be given, or at most one where a kind has a length of its own. keep:
    checkpoints that stay when the run is over, see `checkpoint.kept_steps`. shard: whether each of
    several processes holds a part of the model only, None to decide by the memory. recompute: what
    a layer computed is computed again for its gradient, and not kept meanwhile.
    """

    length: ClassVar[tuple[str, ...]]
    least_minutes: ClassVar[float] = LEAST_MINUTES
    length_needed: ClassVar[bool] = True

    minutes: float | None = None
    seed: int = Field(default=0, ge=0, lt=2**63)
    dtype: DType | None = None
    device: str | None = None
    keep: int = Field(default=0, ge=0, le=1000)
    shard: bool | None = None
    recompute: bool = False

    def check(self) -> None:
        """Refuse what cannot be trained, before any work."""
        given = [name for name in self.length if getattr(self, name) is not None]
        options = [f"--{name}" for name in self.length]
        if len(given) > 1 or (self.length_needed and not given):
            raise UsageError(f"Say how long to train: either {' or '.join(options)}.")
        if self.minutes is not None:
            check_minutes(self.minutes, self.least_minutes)
        if isinstance(plan := getattr(self, "plan", None), Config):
            check_fits(plan)


class RehearsedRequest(Request):
    """Of a run that is rehearsed. compiled: the user's word on torch.compile, None to measure.

    about: the fields that say which data are learned from: forecasts learn from runs on the same.
    """

    length: ClassVar[tuple[str, ...]] = ("minutes", "steps")
    about: ClassVar[tuple[str, ...]] = ()

    steps: int | None = Field(default=None, ge=1, le=MOST_STEPS)
    compiled: bool | None = None


class TimedRequest(Request):
    """Of a tuning, whose steps are timed. epochs: passes over the data."""

    length: ClassVar[tuple[str, ...]] = ("minutes", "epochs")
    least_minutes: ClassVar[float] = 0.05
    length_needed: ClassVar[bool] = False

    epochs: float | None = Field(default=None, gt=0, le=1000)

    @property
    def passes(self) -> float:
        """Over the data, where no minutes are given."""
        return self.epochs or EPOCHS


class Recipe(Config):
    """What a run folder's recipe holds, whatever is trained.

    kind: of the project that made it. places: where its inputs lay then, so that a run resumes by
    its name alone. evaluations, samples: how many there are in the whole run. forecast: of a run
    that was rehearsed. training_s: seconds for its steps with all that is done between them, where
    minutes decided how many there are. steps_per_epoch: of a pass over the data; None in recipes
    that older versions wrote.
    """

    kind: str
    request: SerializeAsAny[Request]
    places: dict[str, Any]
    machine: Machine
    plan: SerializeAsAny[Config]
    choices: list[Choice]
    versions: dict[str, str]
    loop: LoopConfig
    compiled: bool = False
    compiled_reason: str = ""
    forecast: Forecast | None = None
    evaluations: int = Field(default=MOST_EVALUATIONS, ge=1)
    samples: int = Field(default=MOST_SAMPLES, ge=0)
    training_s: float | None = None
    steps_per_epoch: float | None = None

    def save(self, run: Path) -> None:
        """Write recipe.yaml."""
        sign(run, layout.RUN, layout.RECIPE)
        write_text(run / layout.RECIPE, write_yaml(self.plain()))

    @classmethod
    def load(cls, run: Path) -> Self:
        """Read recipe.yaml; raises UsageError naming the file and the key that is wrong."""
        return cls.parse(read_recipe(run / layout.RECIPE), str(run / layout.RECIPE))
