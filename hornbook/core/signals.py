"""Ctrl-C and SIGTERM: both stop the work the same way, and neither tears what must be whole.

Python hands signals to the main thread only; other threads need no care.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_TERMS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGBREAK") if hasattr(signal, name))
"""What asks a program to end; the second one only on Windows, whose SIGTERM asks nobody."""
STOPPING = (signal.SIGINT, *_TERMS)


class Stops:
    """What stopped a command. code: what it leaves with, 130, or 143 after SIGTERM."""

    def __init__(self) -> None:
        self.code = 128 + signal.SIGINT

    def answer(self, number: int, frame: FrameType | None) -> None:
        """A handler: stop as after Ctrl-C."""
        self.code = 128 + number
        raise KeyboardInterrupt


@contextlib.contextmanager
def terminable(stops: Stops) -> Iterator[None]:
    """Inside, SIGTERM stops the work as Ctrl-C does, where nobody else listens to it."""
    if not _in_main_thread():
        yield
        return
    free = [kind for kind in _TERMS if signal.getsignal(kind) is signal.SIG_DFL]
    for kind in free:
        signal.signal(kind, stops.answer)
    try:
        yield
    finally:
        for kind in free:
            signal.signal(kind, signal.SIG_DFL)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Signals that come inside are answered after the block: for the few steps of a rename.

    Handlers are exchanged, as a mask of this thread does not hold what other threads receive.
    """
    if not _in_main_thread():
        yield
        return
    waiting: list[int] = []
    before = {}
    for kind in STOPPING:
        handler = signal.getsignal(kind)
        if handler is not None and handler is not signal.SIG_IGN:
            before[kind] = handler
            signal.signal(kind, lambda number, frame: waiting.append(number))
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    for number in waiting:
        signal.raise_signal(number)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
