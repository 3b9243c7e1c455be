"""A clock that a test sets."""

import threading
import time


def set_clock(monkeypatch, now, name="monotonic"):
    """`time.monotonic()` of this thread is `now()`; of others, such as a server's, it stays true.

    An event loop that saw the set time would sleep until the real one comes.
    """
    real, own = getattr(time, name), threading.get_ident()
    monkeypatch.setattr(time, name, lambda: now() if threading.get_ident() == own else real())
