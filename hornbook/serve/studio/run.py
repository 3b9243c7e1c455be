"""Start the studio, and open it in the browser."""

import webbrowser
from collections.abc import Callable
from pathlib import Path

from hornbook.serve.config import ServeConfig
from hornbook.serve.run import log_to_stderr, serve
from hornbook.serve.shelf import Shelf, named
from hornbook.serve.state import ServerState
from hornbook.serve.studio.app import create_studio
from hornbook.serve.studio.config import StudioConfig
from hornbook.serve.studio.door import ENTER, new_key


def studio(
    models: list[Path],
    config: StudioConfig,
    server: ServeConfig,
    opens: bool,
    ready: Callable[[str], None],
) -> None:
    """Run the studio until SIGTERM or Ctrl-C. opens: a browser. ready: is told the address.

    Raises UsageError for models that are not there, or an address that cannot be had.
    """
    log_to_stderr()
    key = server.key or new_key()
    server = server.model_copy(update={"key": key})
    state = ServerState(server, Shelf(named(models), server))

    def told(address: str) -> None:
        place = f"{address}{ENTER}?key={key}"
        ready(place)
        if opens:
            webbrowser.open(place)

    serve(create_studio(state, config), server, told, state)
