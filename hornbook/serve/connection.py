"""One connection: how long a request's head may be, and how long all of it may take to come.

uvicorn waits for ever for the end of a head, and for the rest of a body whose request is answered
already; a client that sends a byte a minute would hold a connection, of which there are not many.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from hornbook.serve.config import ServeConfig
from hornbook.serve.errors import RequestRefused
from hornbook.serve.writer import STRAIGHT

_HEAD_BYTES = 64 * 1024
_LINGER_S = 5.0
"""For the rest of a body after its answer: a client that still sends does not read yet."""


class Connection(HttpToolsProtocol):
    """uvicorn's, with limits."""

    def __init__(self, *, limits: ServeConfig, **given: Any) -> None:
        super().__init__(**given)
        self._limits = limits
        self._head_bytes: int | None = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuses one too many: each takes a file handle of the process."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.sockets:
            full = RequestRefused("Too many connections at once.", code="busy", status=503)
            self._refuse(full)
        else:
            self._arm(self._limits.body_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """No timer outlives it."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes before a head is whole."""
        if self.transport.is_closing():
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > _HEAD_BYTES:
            self._refuse(
                RequestRefused(f"The head is larger than {_HEAD_BYTES:,} bytes.", status=431)
            )

        elif self._is_idle():  # line ends before a head begin none, and took uvicorn's timer away
            self._arm(self._limits.body_s)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        if self._head_bytes is None:  # else it is the first one, which counts from its connection
            self._head_bytes = 0
            self._arm(self._limits.body_s)

    def on_headers_complete(self) -> None:
        """A head is whole; its body is the gate's, until it is answered."""
        self._head_bytes = None
        self._disarm()
        super().on_headers_complete()
        straight = {STRAIGHT: _Straight(self.cycle)}
        self.scope["extensions"] = straight  # type: ignore[typeddict-item]
        if self.scope["http_version"] == "1.0":  # which knows no chunks: the connection ends it
            self.cycle.chunked_encoding = False
            self.cycle.expected_content_length = _AnyLength()

    def on_response_complete(self) -> None:
        """A body that is still coming has little time left."""
        super().on_response_complete()
        if self.cycle.more_body:
            self._arm(_LINGER_S)

    def on_message_complete(self) -> None:
        """All of a request is there."""
        self._disarm()
        super().on_message_complete()
        self.cycle.more_body = False

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: a client may offer another protocol, and goes on with this one."""

    def send_400_response(self, msg: str) -> None:
        """What is no request is told so in the shape of all errors."""
        self._refuse(RequestRefused(msg))

    def _is_idle(self) -> bool:
        """Whether no request is there, and nothing would end the connection."""
        answered = self.cycle is not None and self.cycle.response_complete
        timers = self._deadline, self.timeout_keep_alive_task
        return answered and self._head_bytes is None and timers == (None, None)

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._too_slow, seconds)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self, seconds: float) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._arm(seconds)  # the next request was begun within the answer to this one
        elif self._head_bytes:
            said = f"The head did not come within {seconds:g} seconds."
            self._refuse(RequestRefused(said, status=408))
        else:
            self.transport.close()

    def _refuse(self, refused: RequestRefused) -> None:
        """Answer without a request, and end the connection."""
        response = refused.response()
        lines = [STATUS_LINE[response.status_code]]
        for name, value in (*response.raw_headers, (b"connection", b"close")):
            lines += [name, b": ", value, b"\r\n"]
        self.transport.write(b"".join([*lines, b"\r\n", bytes(response.body)]))
        self.transport.close()


class _AnyLength(int):
    """Of an answer that may have any."""

    def __lt__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return False

    def __sub__(self, other: int) -> "_AnyLength":
        return self

    __hash__ = int.__hash__


class _Straight:
    """A `StraightWay` to the client of one request."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    @property
    def ready(self) -> bool:
        """An answer without a length has begun and not ended, and its client reads it."""
        cycle = self._cycle
        ended = cycle.response_complete or cycle.disconnected
        return bool(cycle.chunked_encoding) and not ended and not cycle.flow.write_paused

    def write(self, part: bytes) -> None:
        """A chunk of it."""
        self._cycle.transport.write(b"%x\r\n%b\r\n" % (len(part), part))
