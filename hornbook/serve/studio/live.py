"""What is live: an event whenever something changed, upon which a page looks again."""

import asyncio
import time
from collections.abc import Callable, Hashable

from hornbook import __version__
from hornbook.serve.routes import EventStream
from hornbook.serve.wire import SILENCE, event
from hornbook.serve.writer import EventWriter

_LOOK_S, _SILENCE_S, _LONGEST_S = 1.0, 15.0, 300.0
"""How often is looked, how long a stream is silent, and when it ends: browsers come again."""


def changes(mark: Callable[[], Hashable]) -> EventStream:
    """A stream with `changed` for each new mark. mark: reads files, and is called in a thread."""

    async def events(writer: EventWriter) -> bytes:
        began = said = time.monotonic()
        before: Hashable = None
        while time.monotonic() - began < _LONGEST_S:
            now = await asyncio.to_thread(mark)
            if now != before:
                before, said = now, time.monotonic()
                await writer.send(event({"version": __version__}, "changed"))
            elif time.monotonic() - said > _SILENCE_S:
                said = time.monotonic()
                await writer.send(SILENCE)
            await asyncio.sleep(_LOOK_S)
        return b""

    async def close() -> None:
        """Nothing is held."""

    return EventStream(events, close, 2 * _LONGEST_S)
