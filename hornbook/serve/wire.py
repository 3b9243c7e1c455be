"""What goes over the wire: JSON and server-sent events."""

from collections.abc import Callable, Mapping
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


class TextEvent:
    """An event of which one text alone differs each time, as in a stream: the rest of it is
    written once. value: the object with a text in its place."""

    def __init__(self, value: Callable[[str], Any]) -> None:
        self._before, gap, self._after = event(value(_GAP)).partition(to_json(_GAP))
        assert gap

    def of(self, text: str) -> bytes:
        """The event with a text."""
        return self._before + to_json(text) + self._after


_GAP = "\0text\0"
"""Stands where a text will stand; no other text of an event is this one."""
