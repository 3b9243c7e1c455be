"""What a body of the Responses API asks for, in the words of chat completions."""

from typing import Any

from hornbook.serve.schemas.messages import text_of
from hornbook.serve.schemas.responses import (
    InputCall,
    InputCallOutput,
    JsonObject,
    JsonOfSchema,
    ResponseBody,
)


def messages_of(body: ResponseBody) -> list[dict[str, Any]]:
    """The conversation. Calls that follow one another belong to one message."""
    found: list[dict[str, Any]] = []
    if body.instructions is not None:
        found.append({"role": "system", "content": body.instructions})
    if isinstance(body.input, str):
        return [*found, {"role": "user", "content": body.input}]
    for item in body.input:
        if isinstance(item, InputCall):
            function = {"name": item.name, "arguments": item.arguments}
            call = {"id": item.call_id, "type": "function", "function": function}
            if found and found[-1]["role"] == "assistant":
                found[-1].setdefault("tool_calls", []).append(call)
            else:
                found.append({"role": "assistant", "content": "", "tool_calls": [call]})
        elif isinstance(item, InputCallOutput):
            output = text_of(item.output)
            found.append({"role": "tool", "content": output, "tool_call_id": item.call_id})
        else:
            role = "system" if item.role == "developer" else item.role
            found.append({"role": role, "content": text_of(item.content)})
    return found


def tools_of(body: ResponseBody) -> tuple[list[dict[str, Any]], Any]:
    """The functions among the tools, and which must be called; tools of other types are the
    provider's own, which is nobody here."""
    functions = [tool for tool in body.tools or [] if tool.get("type") == "function"]
    keys = ("name", "description", "parameters")
    tools = [
        {"type": "function", "function": {key: tool.get(key) for key in keys}} for tool in functions
    ]
    choice: Any = body.tool_choice
    if choice is not None and not isinstance(choice, str):
        choice = {"type": "function", "function": {"name": choice.name}}
    if choice == "auto" and not tools:  # those that there are were none of ours
        choice = None
    return tools, choice


def response_format_of(body: ResponseBody) -> dict[str, Any] | None:
    """The form of the answer."""
    form = None if body.text is None else body.text.format
    if isinstance(form, JsonOfSchema):
        return {"type": "json_schema", "json_schema": {"name": form.name, "schema": form.schema_}}
    return {"type": "json_object"} if isinstance(form, JsonObject) else None
