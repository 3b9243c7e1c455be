"""Start a server, and end it well: what runs is finished, up to a limit."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from hornbook.core.errors import UsageError
from hornbook.serve.app import create_app
from hornbook.serve.config import KEY, ServeConfig
from hornbook.serve.shelf import Shelf, named
from hornbook.serve.state import ServerState

_KEEP_ALIVE_S = 30


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


def serve(
    models: list[Path],
    config: ServeConfig,
    device: str | None,
    weights: str | None,
    ready: Callable[[str], None],
) -> None:
    """Serve models until SIGTERM or Ctrl-C. ready: is told the address.

    The first model is opened before anybody can ask. Raises UsageError or HornbookError for
    models that are not there, or an address that cannot be had.
    """
    check_address(config)
    _log_to_stderr()
    shelf = Shelf(named(models), config, device, weights)
    first = next(iter(shelf.places))
    shelf.open[first] = shelf.open_now(first)
    app = create_app(ServerState(config, shelf))
    settings = uvicorn.Config(
        app, config.host, config.port, log_config=None, access_log=False, server_header=False,
        date_header=False, timeout_keep_alive=_KEEP_ALIVE_S, lifespan="on",
        timeout_graceful_shutdown=int(config.drain_s) + 1, ws="none",
        h11_max_incomplete_event_size=64 * 1024, proxy_headers=False,
    )  # fmt: skip
    server = _Server(settings)
    socket = settings.bind_socket()
    ready(f"http://{_shown(config.host)}:{socket.getsockname()[1]}/v1")
    server.run([socket])


class _Server(uvicorn.Server):
    """A signal ends it well, with exit code 0; a second one at once."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {kind: signal.signal(kind, self._stop) for kind in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    for name, level in (("hornbook.serve", logging.INFO), ("uvicorn", logging.WARNING)):
        log = logging.getLogger(name)
        log.handlers, log.propagate = [handler], False
        log.setLevel(level)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
