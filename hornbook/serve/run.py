"""Start a server, and end it well: what runs is finished, up to a limit."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from hornbook.core.errors import UsageError
from hornbook.serve.config import KEY, ServeConfig
from hornbook.serve.connection import Connection
from hornbook.serve.served_documents import ServedDocuments
from hornbook.serve.shelf import Shelf, named
from hornbook.serve.state import ServerState

_KEEP_ALIVE_S, _LAST_WORDS_S = 30, 2
"""Of a connection without requests; and for the errors of what was ended."""


def key_of_environment() -> str | None:
    """HORNBOOK_API_KEY, if it is set. Raises UsageError for one that no header can hold."""
    key = os.environ.get(KEY, "")
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or key != key.strip():
        raise UsageError(f"{KEY} must be printable ASCII without white space around it.")
    return key


def check_address(config: ServeConfig) -> None:
    """Raises UsageError for an address that others reach, and no key."""
    if config.key is None and not config.is_local:
        raise UsageError(
            f"--host {config.host}: other machines reach this address, so a key is needed: put "
            f"one into the environment variable {KEY}, or leave --host out."
        )


@dataclass(frozen=True)
class Served:
    """What a server has. models: places, by their names. index: a folder of documents, or None.
    device, weights: of all models."""

    models: Sequence[Path]
    index: Path | None = None
    device: str | None = None
    weights: str | None = None


def open_state(served: Served, config: ServeConfig) -> ServerState:
    """A server that is ready to answer; its first model is open.

    Raises UsageError or HornbookError for what is not there or cannot be opened, and for an
    address without its key.
    """
    check_address(config)
    if not served.models and served.index is None:
        raise UsageError("There is nothing to serve: give a model, or documents with --index.")
    shelf = Shelf(named(served.models), config, served.device, served.weights)
    documents = None if served.index is None else ServedDocuments(served.index, config)
    for first in list(shelf.places)[:1]:
        shelf.open[first] = shelf.open_now(first)
    return ServerState(config, shelf, documents)


def settings(app: ASGIApp, config: ServeConfig) -> uvicorn.Config:
    """How uvicorn serves an application."""
    return uvicorn.Config(
        app, config.host, config.port, log_config=None, access_log=False, server_header=False,
        date_header=False, timeout_keep_alive=_KEEP_ALIVE_S, lifespan="on", ws="none",
        timeout_graceful_shutdown=int(config.drain_s) + _LAST_WORDS_S, proxy_headers=False,
        http=partial(Connection, limits=config),  # type: ignore[arg-type]
    )  # fmt: skip


def serve(
    app: ASGIApp, config: ServeConfig, ready: Callable[[str], None], state: ServerState
) -> None:
    """Serve an application until SIGTERM or Ctrl-C, then finish what runs. ready: is told the
    address. Raises OSError for one that cannot be had."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((config.host, config.port))
        ready(f"http://{_shown(config.host)}:{listening.getsockname()[1]}")
        _Server(settings(app, config), state).run([listening])


class _Server(uvicorn.Server):
    """A signal ends it well, with exit code 0; a second one at once."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self._state = state

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Without raising them again at the end, as its parent does."""
        before = {kind: signal.signal(kind, self._stop) for kind in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what runs; what takes too long is told so, and ended."""
        late = asyncio.get_running_loop().call_later(
            self._state.config.drain_s, self._state.stop_writing
        )
        await super().shutdown(sockets)
        late.cancel()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def log_to_stderr() -> None:
    """Let the server's log be seen."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name, level in (("hornbook.serve", logging.INFO), ("uvicorn", logging.WARNING)):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
        log.setLevel(level)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
