"""Work that is no writing: one thread for each model, one request after another, no queue without
an end."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from hornbook.serve.errors import busy

_T = TypeVar("_T")
StillWanted = Callable[[], None]
"""Is called between two pieces of work; ends it where nobody waits any more."""


class NobodyWaits(Exception):
    """The client has left, so the work ends."""


class WorkThread:
    """running: requests that wait or are worked on, as the event loop counts them."""

    def __init__(self, name: str, waiting: int) -> None:
        self._pool, self._most = ThreadPoolExecutor(1, thread_name_prefix=name), 1 + waiting
        self.running = 0

    async def do(self, work: Callable[[StillWanted], _T]) -> _T:
        """The result of some work. It is given up when whoever waits is cancelled.

        Raises RequestRefused (429) where too many wait.
        """
        if self.running >= self._most:
            raise busy(f"{self.running:,} requests wait, and no more may; come again later.")
        left = threading.Event()

        def still_wanted() -> None:
            if left.is_set():
                raise NobodyWaits

        self.running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, still_wanted)
        finally:
            left.set()
            self.running -= 1

    def close(self) -> None:
        """End the thread after what it does."""
        self._pool.shutdown(wait=True, cancel_futures=True)
