"""POST /v1/responses, without memory: all of the conversation comes with each request."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hornbook.serve.schemas.base import Body, Drawn, PassedOver, StreamOptions


class InputText(Body):
    """A piece of what a person, or the model before, said."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class InputRefusal(Body):
    """What a model refused with."""

    type: Literal["refusal"]
    refusal: str


InputContent = str | list[Annotated[InputText | InputRefusal, Field(discriminator="type")]]


class InputMessage(Body):
    """A message; one that the model gave comes back as it was."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: InputContent
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    phase: str | None = None


class InputCall(Body):
    """A call of a function that the model asked for."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: str | None = None


class InputCallOutput(Body):
    """What the function gave back."""

    type: Literal["function_call_output"]
    call_id: str
    output: InputContent
    id: str | None = None
    status: str | None = None


InputItem = InputMessage | InputCall | InputCallOutput


class PlainText(Body):
    """An answer without a form."""

    type: Literal["text"]


class JsonObject(Body):
    """An answer that is an object of JSON."""

    type: Literal["json_object"]


class JsonOfSchema(Body):
    """An answer that a schema describes."""

    type: Literal["json_schema"]
    name: str
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class TextForm(Body):
    """The form of the text."""

    format: Annotated[PlainText | JsonObject | JsonOfSchema | None, Field(discriminator="type")] = (
        None
    )
    verbosity: Literal["medium"] | None = None


class Reasoning(Body):
    """How long the model thinks first; these do not."""

    effort: Literal["none"] | None = None
    summary: str | None = None
    generate_summary: str | None = None


class CalledFunctionName(Body):
    """The function that must be called."""

    type: Literal["function"]
    name: str


Included = Literal["message.output_text.logprobs", "reasoning.encrypted_content"]


class ResponseBody(Drawn, PassedOver):
    """A conversation that is to be answered. Nothing of it is kept, so there is nothing to go on
    from by an id."""

    input: str | Annotated[list[InputItem], Field(min_length=1)]
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    text: TextForm | None = None
    reasoning: Reasoning | None = None
    truncation: Literal["disabled"] | None = None
    background: Literal[False] | None = None
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = (
        None
    )
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Literal["none", "auto", "required"] | CalledFunctionName | None = None
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
