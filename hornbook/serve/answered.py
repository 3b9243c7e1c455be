"""The one way from a request to its answer, for every route on which a model writes.

A route says what its prompt is and how its answers are written down (an `AnswerForm`); the model's
lease, the queue, streams, clients that leave and clocks are the same for all.
"""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from fastapi import Request, Response

from hornbook.generate.call_form import CallForm
from hornbook.generate.text import Writing
from hornbook.serve.config import ServeConfig
from hornbook.serve.delivery import AnswerPart, Delivery, delivered
from hornbook.serve.routes import EventStream, while_there
from hornbook.serve.said import SaidAnswer
from hornbook.serve.served import ServedModel
from hornbook.serve.state import ServerState
from hornbook.serve.wire import SILENCE, Json
from hornbook.serve.writer import EventWriter

_SILENCE_S = 15.0
"""Seconds without an event after which something is said."""


class Begun(NamedTuple):
    """Answers that are ready to be written. calls: the form of the calls of tools that may be in
    them, None where there may be none."""

    writings: list[Writing]
    calls: CallForm | None = None


class AnswerForm(ABC):
    """How the answers to one request are written down. said: what of them is text, and what calls
    tools."""

    def __init__(self, model: ServedModel, body: Any, delivery: Delivery, begun: Begun) -> None:
        self.model, self.body, self.delivery = model, body, delivery
        self.said = [SaidAnswer(begun.calls) for _ in begun.writings]

    @abstractmethod
    def whole(self, parts: Sequence[AnswerPart]) -> dict[str, Any]:
        """All of it in one object, when it is finished."""

    def first(self) -> bytes:
        """The events before the first part."""
        return b""

    @abstractmethod
    def part(self, part: AnswerPart) -> bytes:
        """The events of a part."""

    @abstractmethod
    def last(self) -> bytes:
        """The events after the last part."""

    async def events(self, writer: EventWriter) -> bytes:
        """The answers as they are written, the last events excepted, which are given back.

        What comes is written in the call that brings it, as long as the client keeps up; only what
        has to wait takes a turn of this coroutine.
        """
        delivery, awake = self.delivery, asyncio.Event()

        def heard() -> None:
            try:
                if delivery.left and writer.ready:
                    writer.now(self._come())
                else:
                    awake.set()
            except Exception as error:  # it is told where the stream is written
                delivery.fail(error)
                awake.set()

        await writer.send(self.first())
        delivery.heard = heard
        try:
            while delivery.going_on:
                if delivery.waits:
                    await writer.send(self._come())
                    continue
                awake.clear()
                try:
                    async with asyncio.timeout_at(writer.written_at + _SILENCE_S):
                        await awake.wait()
                except TimeoutError:
                    await writer.send(SILENCE)
        finally:
            delivery.heard = None
        return self.last()

    def _come(self) -> bytes:
        """The events of what has come. Raises what the answers failed with."""
        return b"".join(map(self.part, self.delivery.parts()))


class WritingRoute(NamedTuple):
    """A route on which a model writes. ability: what the model must be able to do. what: the
    route, for messages. begin: makes the answers ready, in the clerk's thread."""

    ability: str
    what: str
    begin: Callable[[ServedModel, Any, ServeConfig], Begun]
    form: type[AnswerForm]


async def answered(
    route: WritingRoute, body: Any, request: Request, server: ServerState
) -> Response:
    """The response: one object, or a stream of events where the body asks for it."""
    async with contextlib.AsyncExitStack() as stack:
        lease = server.shelf.lease(body.model, route.ability, route.what)
        model = await stack.enter_async_context(lease)
        begun = await server.shelf.ask_clerk(partial(route.begin, model, body, server.config))
        writing = delivered(model.engine, model.outbox, begun.writings, model.opened.tokenizer)
        delivery = await stack.enter_async_context(writing)
        stack.callback(server.metrics.written, model.name, delivery)
        form = route.form(model, body, delivery, begun)
        if body.stream:
            return EventStream(form.events, stack.pop_all().aclose, server.config.request_s)
        parts = await while_there(request, delivery.all(), server.config.request_s)
        return Json(form.whole(parts))
