"""Clients of a server that cost next to nothing, as they run on the cores that they measure.

They belong into uvloop's event loop, which takes half the time of asyncio's. While answers come,
what comes is kept with its time and nothing else is done; it is read when all is over. HTTP 1.1
over connections that stay open, server-sent events in chunks.
"""

import asyncio
import json
import re
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_END = b"\r\n0\r\n\r\n"
_EVENT = re.compile(rb"data: (\{.*?\})\r?\n")
_PATIENCE_S = 60.0
"""After which a client gives up."""


@dataclass
class Exchange:
    """A request and what came back. asked: what it is told apart by. pieces: when they came."""

    asked: str
    began: float
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    broken: bool = False

    @property
    def status(self) -> int:
        """0 where nothing came."""
        return int(self.pieces[0][1][9:12]) if self.pieces else 0

    def header(self, name: bytes) -> str | None:
        """Of the answer."""
        found = re.search(rb"(?mi)^" + name + rb":\s*(.*?)\r$", self.pieces[0][1])
        return found[1].decode() if found else None

    def events(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """The events of a stream, each with the time at which it was whole."""
        raw, arrived = b"".join(piece for _, piece in self.pieces), list[int]()
        for _, piece in self.pieces:
            arrived.append((arrived[-1] if arrived else 0) + len(piece))
        body, ends, at = b"", list[tuple[int, int]](), raw.find(b"\r\n\r\n") + 4
        while (line := raw.find(b"\r\n", at)) > 0 and (size := int(raw[at:line], 16)):
            at = line + 2 + size
            body += raw[line + 2 : at]
            ends.append((len(body), at))
            at += 2
        for found in _EVENT.finditer(body):
            whole = ends[bisect_left(ends, (found.end(), 0))][1]
            yield self.pieces[bisect_left(arrived, whole)][0], json.loads(found[1])


class Connection(asyncio.Protocol):
    """One client's."""

    def __init__(self) -> None:
        self._exchange: Exchange | None = None
        self._whole: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """To a server of this machine."""
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(cls, "127.0.0.1", port))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        assert self._exchange and self._whole
        self._exchange.pieces.append((time.monotonic(), data))
        if self._is_whole(data) and not self._whole.done():
            self._whole.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(ConnectionError("the server ended the connection"))

    async def ask(self, path: str, asked: str, body: dict[str, Any]) -> Exchange:
        """Send a request and wait until its answer is whole, or broken."""
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self._exchange = exchange = Exchange(asked, time.monotonic())
        self._whole = asyncio.get_running_loop().create_future()
        self._transport.write(head.encode() + content)
        try:
            await asyncio.wait_for(self._whole, _PATIENCE_S)
        except (TimeoutError, ConnectionError):
            exchange.broken = True
        return exchange

    def close(self) -> None:
        """Of no more use."""
        self._transport.close()

    def _is_whole(self, data: bytes) -> bool:
        assert self._exchange
        pieces = self._exchange.pieces
        if self._exchange.status == 200:
            last = data if len(data) >= len(_END) else b"".join(each for _, each in pieces[-3:])
            return last.endswith(_END)
        raw = b"".join(each for _, each in pieces)
        length = self._exchange.header(rb"content-length")
        return len(raw) >= raw.find(b"\r\n\r\n") + 4 + int(length or 0)
