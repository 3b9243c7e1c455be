"""What goes over the wire: JSON and server-sent events."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response
from pydantic_core import to_json

DONE = b"data: [DONE]\n\n"
"""What ends a stream of OpenAI's."""
SILENCE = b": still here\n\n"
"""A comment, for proxies that end what is silent."""


STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {}, "text/event-stream": {}}}
}
"""What the document of the API says of a route that can stream."""


class Json(Response):
    """An object as JSON."""

    media_type = "application/json"

    def __init__(
        self, value: Any, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(value, status_code, dict(headers or {}))

    def render(self, content: Any) -> bytes:
        return to_json(content, inf_nan_mode="null")


def event(value: Any, name: str | None = None) -> bytes:
    """A server-sent event."""
    first = b"" if name is None else b"event: " + name.encode() + b"\n"
    return first + b"data: " + to_json(value, inf_nan_mode="null") + b"\n\n"
