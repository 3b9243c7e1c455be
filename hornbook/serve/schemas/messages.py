"""Messages of a conversation, as chat completions have them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from hornbook.serve.schemas.base import Body


class TextContent(Body):
    """A piece of text. cache_control: how long another provider keeps it, which changes nothing."""

    type: Literal["text"]
    text: str
    cache_control: dict[str, Any] | None = None


class RefusalContent(Body):
    """What a model refused with."""

    type: Literal["refusal"]
    refusal: str


Content = str | list[TextContent]


class Spoken(Body):
    """What all messages have."""

    name: str | None = None


class SystemMessage(Spoken):
    """Instructions; `developer` is OpenAI's newer word for the same."""

    role: Literal["system", "developer"]
    content: Content


class UserMessage(Spoken):
    """Of the person."""

    role: Literal["user"]
    content: Content


class CalledFunction(Body):
    """A function's name, and its arguments as JSON."""

    name: str
    arguments: str


class ToolCall(Body):
    """A call that the model made. index: its place, which clients keep that put it together from
    the pieces of a stream."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None


class AssistantMessage(Spoken):
    """Of the model. reasoning_content: what it thought before, for templates that show it."""

    role: Literal["assistant"]
    content: (
        str | list[Annotated[TextContent | RefusalContent, Field(discriminator="type")]] | None
    ) = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    reasoning_content: str | None = None
    annotations: list[Any] | None = None


class ToolMessage(Spoken):
    """What a tool gave back. name: of the tool."""

    role: Literal["tool"]
    content: Content
    tool_call_id: str


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")
]


def text_of(content: Any) -> str:
    """The text of a message; its pieces are lines of their own."""
    if isinstance(content, str) or content is None:
        return content or ""
    return "\n".join(part.refusal if part.type == "refusal" else part.text for part in content)


def plain(message: Any) -> dict[str, Any]:
    """As chat templates take it."""
    found: dict[str, Any] = {
        "role": "system" if message.role == "developer" else message.role,
        "content": text_of(message.content),
    }
    for key in ("name", "tool_calls", "tool_call_id", "reasoning_content"):
        if value := getattr(message, key, None):  # templates take an empty list for calls
            found[key] = value
    if "tool_calls" in found:
        found["tool_calls"] = [call.model_dump() for call in found["tool_calls"]]
    return found
