"""POST /v1/chat/completions."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from hornbook.serve.schemas.base import Body, Drawn, PassedOver, Streamed
from hornbook.serve.schemas.messages import Message


class AnyText(Body):
    """An answer without a form."""

    type: Literal["text"]


class AnyObject(Body):
    """An answer that is an object of JSON."""

    type: Literal["json_object"]


class NamedSchema(Body):
    """A schema of JSON with its name."""

    name: str
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ObjectOfSchema(Body):
    """An answer that a schema describes."""

    type: Literal["json_schema"]
    json_schema: NamedSchema


ResponseFormat = Annotated[AnyText | AnyObject | ObjectOfSchema, Field(discriminator="type")]


class DeclaredFunction(Body):
    """A function that the model may call. parameters: a JSON schema, which calls always fit."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Body):
    """A tool."""

    type: Literal["function"]
    function: DeclaredFunction


class NamedFunction(Body):
    """A function by its name."""

    name: str


class ChosenFunction(Body):
    """The one that must be called."""

    type: Literal["function"]
    function: NamedFunction


class ChatBody(Drawn, Streamed, PassedOver):
    """A conversation that is to be answered. prediction: what the answer may be, which makes it
    faster elsewhere and changes nothing in it."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] = 1
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    modalities: list[Literal["text"]] | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenFunction | None = None
    parallel_tool_calls: bool = True
    reasoning_effort: Literal["none"] | None = None
    verbosity: Literal["medium"] | None = None
    prediction: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs goes with logprobs = true")
        return self
