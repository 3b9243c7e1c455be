"""What all routes of one server share."""

import threading
from typing import Annotated

from fastapi import Depends, Request

from hornbook.serve.config import ServeConfig
from hornbook.serve.metrics import ServerMetrics
from hornbook.serve.served_documents import ServedDocuments
from hornbook.serve.shelf import Shelf


class ServerState:
    """config: what was asked for at the start. shelf: its models. documents: its index, or None."""

    def __init__(
        self, config: ServeConfig, shelf: Shelf, documents: ServedDocuments | None = None
    ) -> None:
        self.config, self.shelf, self.documents = config, shelf, documents
        self.metrics = ServerMetrics(shelf)

    def stop_writing(self) -> None:
        """End all answers that are written now, with an error; returns at once."""
        for model in self.shelf.open.values():
            threading.Thread(target=model.close, daemon=True).start()

    def close(self) -> None:
        """End all threads."""
        self.shelf.close()
        if self.documents is not None:
            self.documents.close()


async def _state_of(request: Request) -> ServerState:
    # Not a thread's work, which a function that is no coroutine would be here.
    found: ServerState = request.app.state.server
    return found


State = Annotated[ServerState, Depends(_state_of)]
"""A parameter of a route that gets it."""
