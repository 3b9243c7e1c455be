"""The door of the studio: a browser shows the key once, and from then on by a cookie.

It stands before the gate, which decides: what is here only lets a browser, which can send no
header of its own when it opens a page, say the same as other clients do.
"""

import hashlib
import hmac
import secrets
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from hornbook.serve.studio.cookies import keep_in_browser, kept_by_browser
from hornbook.serve.studio.render import page

ENTER, STATIC = "/enter", "/static/"
_COOKIE = "key"


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
            return await self._enter(request)(scope, receive, send)
        known = hmac.compare_digest(
            kept_by_browser(request, _COOKIE).encode(), self._token.encode()
        )
        if known or scope["path"].startswith(STATIC):
            kept = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
            shown = (b"authorization", b"Bearer " + self._key.encode())
            return await self._app({**scope, "headers": [*kept, shown]}, receive, send)
        if _is_browser(request):
            return await page(request, "enter.html.jinja", 401, wrong=False)(scope, receive, send)
        return await self._app(scope, receive, send)

    def _is_right(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), self._key.encode())

    def _enter(self, request: Request) -> "RedirectResponse | ASGIApp":
        shown = parse_qs(request.url.query).get("key", [""])[0]
        if not self._is_right(shown):
            return page(request, "enter.html.jinja", 401, wrong=bool(shown))
        found = RedirectResponse("/", 303)
        keep_in_browser(request, found, _COOKIE, self._token)
        return found


def _is_browser(request: Request) -> bool:
    """Whether somebody opens a page, and no program asks."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")
