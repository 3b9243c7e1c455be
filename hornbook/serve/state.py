"""What all routes of one server share."""

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from hornbook.serve.config import ServeConfig
from hornbook.serve.metrics import ServerMetrics
from hornbook.serve.shelf import Shelf

if TYPE_CHECKING:
    from hornbook.serve.documents import ServedDocuments


class ServerState:
    """config: what was asked for at the start. shelf: its models. documents: its index, or None."""

    def __init__(
        self, config: ServeConfig, shelf: Shelf, documents: "ServedDocuments | None" = None
    ) -> None:
        self.config, self.shelf, self.documents = config, shelf, documents
        self.metrics = ServerMetrics(shelf)

    def close(self) -> None:
        """End all threads."""
        self.shelf.close()
        if self.documents is not None:
            self.documents.close()


def _state_of(request: Request) -> ServerState:
    found: ServerState = request.app.state.server
    return found


State = Annotated[ServerState, Depends(_state_of)]
"""A parameter of a route that gets it."""
