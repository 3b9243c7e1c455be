"""What a run on text is asked for, and what was settled before its first step."""

from typing import ClassVar

from pydantic import Field

from hornbook.core.errors import UsageError
from hornbook.training.dial import Plan, Wanted
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.runs.recipe import MOST_TOKENS, Recipe, RehearsedRequest


class TextRequest(RehearsedRequest):
    """What the user asked for. Exactly one of minutes and tokens says how long to train.

    corpus, tokenizer, init: fingerprints of the corpus, of a tokenizer brought along, and of a
    model to go on from. plan: sizes that were asked for. isolate: documents in one window do not
    see each other. canaries: secrets that are planted once, and as many that are planted ten times.
    """

    length: ClassVar[tuple[str, ...]] = ("minutes", "tokens")
    about: ClassVar[tuple[str, ...]] = ("corpus",)

    tokens: int | None = None
    corpus: str = ""
    tokenizer: str | None = None
    init: str | None = None
    plan: Wanted = Wanted()
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    isolate: bool = False
    canaries: int = Field(default=0, ge=0, le=100)

    def check(self) -> None:
        super().check()
        if self.steps is not None:
            raise UsageError(
                "Text is learned for --minutes or --tokens, not for a number of steps."
            )
        if self.tokens is not None and not 1 <= self.tokens <= MOST_TOKENS:
            raise UsageError(f"--tokens {self.tokens}: must be 1 to {MOST_TOKENS:,}.")


class TextRecipe(Recipe):
    """What was settled before the first step of pretraining on text."""

    request: TextRequest
    plan: Plan
