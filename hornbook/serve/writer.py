"""Where the events of a stream go: to one client, which may read them slowly."""

import asyncio
from typing import Protocol

from starlette.types import Scope, Send

STRAIGHT = "hornbook.straight"
"""The extension of a request's scope by which a connection can be written to straight away."""


class StraightWay(Protocol):
    """Past all layers between a route and its connection, which take several times as long as the
    bytes of a token. ready: whether an answer has begun and its client keeps up."""

    @property
    def ready(self) -> bool: ...

    def write(self, part: bytes, /) -> None: ...


class EventWriter:
    """Of the event loop alone. written_at: when something was written last, by the loop's clock."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._straight: StraightWay | None = scope.get("extensions", {}).get(STRAIGHT)
        self._clock, self._waits = asyncio.get_running_loop().time, False
        self.written_at = self._clock()

    @property
    def ready(self) -> bool:
        """Whether `now` can be called: nothing waits for the client to read."""
        return self._straight is not None and not self._waits and self._straight.ready

    def now(self, part: bytes) -> None:
        """Write without waiting."""
        assert self._straight is not None
        if part:  # nothing would be the end of a stream
            self._straight.write(part)
            self.written_at = self._clock()

    async def send(self, part: bytes) -> None:
        """Write, and wait for a client that does not keep up."""
        self._waits = True
        try:
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            self._waits = False
        if part:
            self.written_at = self._clock()
