"""What a translation run is asked for, and what was settled before its first step."""

from typing import ClassVar

from pydantic import Field, PositiveInt

from hornbook.core.errors import unknown
from hornbook.models.translators import TRANSLATORS
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.pair_dial import PairPlan, WantedPairs
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.runs.recipe import Recipe, RehearsedRequest


class PairsRequest(RehearsedRequest):
    """What the user asked for.

    family: a preset of `models.translators`. pairs: fingerprints of the files of each split.
    columns: what a table calls source and target, or None for the usual names. beams: of the search
    on the test pairs.
    """

    about: ClassVar[tuple[str, ...]] = ("pairs",)

    family: str = "transformer"
    pairs: dict[str, list[str]] = Field(default_factory=dict)
    columns: tuple[str, str] | None = None
    plan: WantedPairs = WantedPairs()
    optimiser: OptimiserConfig
    schedule: ScheduleConfig
    beams: PositiveInt = 4

    def check(self) -> None:
        if self.family not in TRANSLATORS:
            raise unknown("family", self.family, TRANSLATORS)
        super().check()


class PairsRecipe(Recipe):
    """What was settled before the first step."""

    request: PairsRequest
    plan: PairPlan
