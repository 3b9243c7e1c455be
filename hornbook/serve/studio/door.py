"""The door of the studio: a browser shows the key once, and from then on by a cookie.

It stands before the gate, which decides: what is here only lets a browser, which can send no
header of its own when it opens a page, say the same as other clients do.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hornbook.serve.studio.cookies import keep_in_browser, kept_by_browser
from hornbook.serve.studio.render import HEADERS, is_part, page

ENTER, STATIC = "/enter", "/static/"
_COOKIE = "key"
_LONGEST, _SLOWEST_S = 4096, 10.0
"""Bytes of the form with a key, and how long it may take to come."""


def new_key() -> str:
    """A key for this start of the studio."""
    return secrets.token_urlsafe(24)


class Door:
    """ASGI middleware. key: as the gate has it."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app, self._key = app, key
        # Whatever serves at another port of this machine is sent the cookie as well: it opens the
        # pages, and does not tell the key.
        self._token = hmac.new(key.encode(), _COOKIE.encode(), hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request = Request(scope, receive)
        if scope["path"] == ENTER:
            return await (await self._enter(request))(scope, receive, send)
        known = hmac.compare_digest(
            kept_by_browser(request, _COOKIE).encode(), self._token.encode()
        )
        if known or scope["path"].startswith(STATIC):
            kept = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
            shown = (b"authorization", b"Bearer " + self._key.encode())
            return await self._app({**scope, "headers": [*kept, shown]}, receive, send)
        if is_part(request):  # of a page from before: the browser shows the door in its place
            return await Response(status_code=401, headers={"HX-Refresh": "true"})(
                scope, receive, send
            )
        if _is_browser(request):
            return await page(request, "enter.html.jinja", 401, wrong=False)(scope, receive, send)
        return await self._app(scope, receive, send)

    def _is_right(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), self._key.encode())

    async def _enter(self, request: Request) -> Response:
        """By the address that the command printed, or by a form, which keeps the key out of it."""
        is_form = request.method == "POST"
        asked = await _short_body(request) if is_form else request.url.query
        shown = parse_qs(asked).get("key", [""])[0].strip()
        if not self._is_right(shown):
            return page(request, "enter.html.jinja", 401, wrong=bool(shown))
        found = RedirectResponse("/", 303, HEADERS)
        keep_in_browser(request, found, _COOKIE, self._token)
        return found


async def _short_body(request: Request) -> str:
    """The body, "" where it is longer than any key: it comes before the gate, which bounds it."""
    found = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SLOWEST_S):
            async for piece in request.stream():
                found += piece
                if len(found) > _LONGEST:
                    return ""
    return found.decode("ascii", "replace")


def _is_browser(request: Request) -> bool:
    """Whether somebody opens a page, and no program asks."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")
