"""What routes share on which a model reads texts: how many and how long they may be, in pieces."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from fastapi import Request

from hornbook.serve.errors import RequestRefused
from hornbook.serve.routes import while_there
from hornbook.serve.served import ServedModel
from hornbook.serve.state import ServerState
from hornbook.serve.work import StillWanted

_T = TypeVar("_T")
_AT_ONCE, _CHARACTERS = 64, 16_384
"""Texts, and what is read of them together, between two looks at whether somebody still waits."""


class ReadingRoute:
    """A route on which a model reads. ability: what the model must be able to do. what: the route,
    for messages. work: in the model's thread."""

    def __init__(
        self, ability: str, what: str, work: Callable[[ServedModel, Any, StillWanted], Any]
    ) -> None:
        self.ability, self.what, self._work = ability, what, work

    async def result(self, body: Any, request: Request, server: ServerState) -> Any:
        """What the work gives; it is given up when the client leaves.

        Raises RequestRefused for more texts than a request may bring.
        """
        most, texts = server.config.texts, getattr(body, "texts", ())
        if len(texts) > most:
            where = "documents" if hasattr(body, "documents") else "input"
            raise RequestRefused(
                f"{where} has {len(texts):,} texts; a request may bring {most:,}.", where
            )
        async with server.shelf.lease(body.model, self.ability, self.what) as model:
            work = model.work.do(partial(self._work, model, body))
            return await while_there(request, work, server.config.request_s)


def parts(
    texts: Sequence[str], still_wanted: StillWanted, times: int = 1, beside: int = 0
) -> Iterator[list[str]]:
    """Some texts at a time, as long as somebody waits. times: how often each is read, or written;
    beside: characters that are read with each."""
    found, size = list[str](), 0
    for text in texts:
        more = times * (len(text) + beside)
        if found and (len(found) == _AT_ONCE or size + more > _CHARACTERS):
            still_wanted()
            yield found
            found, size = [], 0
        found.append(text)
        size += more
    still_wanted()
    if found:
        yield found


def check_lengths(lengths: Sequence[int], context: int, where: str) -> None:
    """Raises RequestRefused, with both numbers, for a text that the model cannot read whole."""
    for number, length in enumerate(lengths):
        if length > context:
            raise RequestRefused(
                f"Text {number} of {where} has {length:,} tokens; this model reads {context:,}. "
                "Shorten it, or ask for its beginning with truncate = true.",
                where,
                "context_length_exceeded",
            )
