"""POST /v1/decisions: questions about an input, each with what can be answered."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hornbook.serve.schemas.base import Body, PassedOver
from hornbook.serve.schemas.responses import InputCall, InputCallOutput

MOST_QUESTIONS = 400


class DecisionText(Body):
    """A piece of text."""

    type: Literal["input_text", "output_text"]
    text: str
    prompt_cache_breakpoint: dict[str, Any] | None = None


class DecisionJson(Body):
    """An object, or several, that is read as text."""

    type: Literal["input_json"]
    data: dict[str, Any] | list[dict[str, Any]]


class DecisionRefusal(Body):
    """What a model refused with."""

    type: Literal["refusal"]
    refusal: str


DecisionPart = Annotated[DecisionText | DecisionJson | DecisionRefusal, Field(discriminator="type")]


class DecisionMessage(Body):
    """A message of the conversation that is decided on."""

    type: Literal["message"] = "message"
    role: Literal["user", "developer", "system", "assistant"]
    content: str | list[DecisionPart]
    phase: str | None = None


Instructions = (
    Annotated[str, Field(min_length=1)] | Annotated[list[DecisionPart], Field(min_length=1)]
)
"""The question itself."""


class AskedDecision(Body):
    """What all questions have."""

    instructions: Instructions
    name: str | None = None


class Predicate(AskedDecision):
    """Is it true?"""

    type: Literal["predicate"]


class ChoiceOption(Body):
    """What may be chosen; a truth value is not the text of the same word."""

    value: str | bool
    description: str | None = None


class ChoiceQuestion(AskedDecision):
    """Which of them?"""

    type: Literal["choice"]
    choices: Annotated[list[ChoiceOption], Field(min_length=2, max_length=255)]


class ScoreLevel(Body):
    """A step of a scale."""

    label: Annotated[str, Field(min_length=1)]
    description: str | None = None


class ScoreQuestion(AskedDecision):
    """How far along an ordered scale? The first level is 0."""

    type: Literal["score"]
    levels: Annotated[list[ScoreLevel], Field(min_length=2, max_length=101)]


DecisionQuestion = Annotated[
    Predicate | ChoiceQuestion | ScoreQuestion, Field(discriminator="type")
]


class DecisionBody(PassedOver):
    """An input, and what is asked about it."""

    model: str | None = None
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[DecisionMessage | InputCall | InputCallOutput], Field(min_length=1)]
    )
    questions: Annotated[list[DecisionQuestion], Field(min_length=1, max_length=MOST_QUESTIONS)]
