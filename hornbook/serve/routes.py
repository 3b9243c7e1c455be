"""How routes read and answer: bodies strictly, streams to their end, nothing for one who left."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.types import Receive, Scope, Send

from hornbook.core.errors import HornbookError
from hornbook.generate.service import EngineFailed, ServiceStopped
from hornbook.serve.errors import INTERNAL, RequestRefused, refused_by
from hornbook.serve.logs import log_fault
from hornbook.serve.wire import event
from hornbook.serve.writer import EventWriter

_T = TypeVar("_T")
_LAST_WORD_S = 5.0
"""For the end of a stream, whose client may have stopped reading."""


class StrictRequest(Request):
    """A request whose JSON is what the standard says: no NaN, no half of a surrogate pair."""

    async def json(self) -> Any:
        try:
            return from_json(await self.body(), allow_inf_nan=False)
        except ValueError as error:
            bad = RequestRefused(f"The body is not JSON: {error}.", code="bad_json")
            raise HTTPException(bad.status, bad) from None


class StrictRoute(APIRoute):
    """A route that reads its bodies so, and whose faults are told to the log alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            try:
                return await handle(StrictRequest(request.scope, request.receive))
            except ClientGone:
                return Response(status_code=499)
            except (HTTPException, RequestValidationError):
                raise
            except Exception as error:
                return refusal(error).response()

        return strictly


def refusal(error: Exception) -> RequestRefused:
    """What a client is told of an error."""
    if isinstance(error, RequestRefused):
        return error
    if isinstance(error, ServiceStopped):
        return RequestRefused(str(error), code="stopping", status=503)
    if isinstance(error, HornbookError) and not isinstance(error, EngineFailed):
        return refused_by(error)
    log_fault(error)
    return INTERNAL


class EventStream(Response):
    """Events as they come. events: writes them, and gives the last ones back. close: is awaited at
    the end, whoever ended it.

    What fails in the middle is an event with the error, and no sign of a good end.
    """

    def __init__(
        self,
        events: Callable[[EventWriter], Awaitable[bytes]],
        close: Callable[[], Awaitable[None]],
        most_s: float,
    ) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self.headers["cache-control"], self.headers["x-accel-buffering"] = "no-cache", "no"
        self._events, self._close, self._most_s = events, close, most_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        writing = asyncio.ensure_future(self._write(EventWriter(scope, send), send, start))
        leaving = asyncio.ensure_future(gone(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writing.cancel()
            leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await writing
            await self._close()

    async def _write(self, writer: EventWriter, send: Send, start: Any) -> None:
        await send(start)
        try:
            async with asyncio.timeout(self._most_s):
                last = await self._events(writer)
        except TimeoutError:
            last = event(too_long(self._most_s).plain())
        except Exception as error:
            last = event(refusal(error).plain())
        with contextlib.suppress(TimeoutError):  # who reads nothing hears no last word
            async with asyncio.timeout(_LAST_WORD_S):
                await send({"type": "http.response.body", "body": last, "more_body": False})


async def gone(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def while_there(request: Request, work: Coroutine[Any, Any, _T], most_s: float) -> _T:
    """The result of some work, which is cancelled when the client leaves (raises ClientGone) or
    when it takes too long (raises RequestRefused)."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(gone(request.receive))
    both = {working, leaving}
    try:
        await asyncio.wait(both, timeout=most_s, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone if leaving.done() else too_long(most_s)
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working


def too_long(most_s: float) -> RequestRefused:
    """The error for a request that takes too long."""
    return RequestRefused(
        f"The answer took longer than the {most_s:g} seconds that a request may.",
        code="timeout",
        status=408,
    )
