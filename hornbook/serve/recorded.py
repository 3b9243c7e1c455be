"""Every request is counted and logged: method, route, status and time, and no word of its text."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hornbook.serve.logs import LOG
from hornbook.serve.metrics import ServerMetrics

_QUIET = frozenset({"/health", "/metrics"})
"""Routes that are asked every few seconds: they are counted, not logged."""


class Recorded:
    """ASGI middleware around all others. log_texts: bodies are logged as well."""

    def __init__(self, app: ASGIApp, metrics: ServerMetrics, log_texts: bool) -> None:
        self._app, self._metrics, self._log_texts = app, metrics, log_texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        began, status = time.monotonic(), 499

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        async def telling() -> Message:
            message = await receive()
            if body := message.get("body"):
                LOG.info("body: %s", body.decode("utf-8", "backslashreplace"))
            return message

        try:
            return await self._app(scope, telling if self._log_texts else receive, noting)
        finally:
            # What nobody serves has no name of its own here: strangers could make up many.
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.monotonic() - began
            self._metrics.answered(route, status, seconds)
            if route not in _QUIET:
                LOG.info("%s %s %d %.3f s", scope["method"], route, status, seconds)
