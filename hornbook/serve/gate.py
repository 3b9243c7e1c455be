"""The gate before all routes: which machine is meant, who asks, and how much they bring.

In this order, before anything of a request is looked at: the Host header names this server (or a
page of another site could reach it under a name of its own, DNS rebinding); no page of another
site asks (Origin, Sec-Fetch-Site; there is no CORS); the key is right; not too many ask at once;
the body is neither too large nor too slow. It is read here, whole, so the limits hold for all
routes.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hornbook.serve.config import ServeConfig, is_loopback
from hornbook.serve.errors import RequestRefused, busy

OPEN_PATHS = frozenset({"/health"})
"""What needs no key: it says that the server lives, and nothing else."""
_LONGEST_HOST = 255


class Gate:
    """ASGI middleware. What it refuses no route ever sees."""

    def __init__(self, app: ASGIApp, config: ServeConfig) -> None:
        self._app, self._config = app, config
        self._names = frozenset(name.lower() for name in (*config.allowed_hosts, config.host))
        if not config.is_local:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        self._key = None if config.key is None else _digest(config.key.encode())
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":  # there are no web sockets here
            return await send({"type": "websocket.close", "code": 1008})
        if self._inside >= self._config.connections:
            return await busy("Too many requests at once.").response()(scope, receive, send)
        self._inside += 1
        try:
            self._check(scope)
            async with asyncio.timeout(self._config.body_s):
                body = await self._body(scope, receive)
        except RequestRefused as refused:
            return await refused.response()(scope, receive, send)
        except TimeoutError:
            late = RequestRefused(
                f"The body did not come within {self._config.body_s:g} seconds.", status=408
            )
            return await late.response()(scope, receive, send)
        else:
            return await self._app(scope, _replayed(body, receive), send)
        finally:
            self._inside -= 1

    def _check(self, scope: Scope) -> None:
        headers = scope["headers"]
        host = self._host(_all(headers, b"host"))
        self._same_site(headers, host, scope)
        if self._key is not None and scope["path"] not in OPEN_PATHS:
            self._authenticate(_all(headers, b"authorization"))

    def _host(self, given: list[str]) -> str:
        """The Host header, if it names this server."""
        if len(given) != 1:
            raise RequestRefused("A request has one Host header.", code="bad_host")
        name = _name_of(given[0])
        if name is None or not self._is_ours(name):
            raise RequestRefused(
                "The Host header does not name this server; --allow-host lets it go by more names.",
                code="bad_host", status=403,
            )  # fmt: skip
        return given[0].lower()

    def _is_ours(self, name: str) -> bool:
        """Names that no stranger can point here: this machine's own, and those that were allowed.

        Where others may come in, any address as well: it takes a name to rebind one.
        """
        return name in self._names or is_loopback(name) or (
            not self._config.is_local and _is_address(name)
        )  # fmt: skip

    def _same_site(self, headers: Iterable[tuple[bytes, bytes]], host: str, scope: Scope) -> None:
        headers = list(headers)
        for origin in _all(headers, b"origin"):
            if origin.lower() not in (f"http://{host}", f"https://{host}"):
                raise RequestRefused("A page of another site asks.", code="bad_origin", status=403)
        sites = _all(headers, b"sec-fetch-site")
        link = scope["method"] == "GET" and _all(headers, b"sec-fetch-mode") == ["navigate"]
        if any(site not in ("same-origin", "none") for site in sites) and not link:
            raise RequestRefused("A page of another site asks.", code="bad_origin", status=403)

    def _authenticate(self, given: list[str]) -> None:
        assert self._key is not None
        kind, _, shown = (given[0] if len(given) == 1 else "").partition(" ")
        right = hmac.compare_digest(_digest(shown.strip().encode("latin-1")), self._key)
        if not (right and kind.lower() == "bearer"):
            raise RequestRefused(
                "The key is missing or wrong: send it as `Authorization: Bearer KEY`.",
                code="invalid_api_key", status=401,
            )  # fmt: skip

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """All of it. Raises RequestRefused for one that is too large, before it has come."""
        most = self._config.body_bytes
        large = RequestRefused(
            f"The body is larger than {most:,} bytes.", code="body_too_large", status=413
        )
        for length in _all(scope["headers"], b"content-length"):
            if length.isascii() and length.isdecimal() and int(length[:20]) > most:
                raise large
        found, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestRefused("The client has left.")
            found.append(message.get("body", b""))
            size += len(found[-1])
            if size > most:
                raise large
            if not message.get("more_body"):
                return b"".join(found)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What the application receives: the body in one piece, then what comes after it."""
    first = True

    async def next_message() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return next_message


def _all(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _name_of(host: str) -> str | None:
    """The name or address of a Host header, without its port; None for what is none."""
    if len(host) > _LONGEST_HOST or any(c in host for c in "/@\\?#, \t"):
        return None
    try:
        found = urlsplit(f"//{host}")
        return found.hostname if found.port is None or found.port >= 0 else None
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return False


def _digest(key: bytes) -> bytes:
    """Keys are compared by these, which are all of one length."""
    return hashlib.sha256(key).digest()
