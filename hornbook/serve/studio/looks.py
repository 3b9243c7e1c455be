"""Looks at what people bring, which may be much: each in a thread of its own, with what was seen.

One that nobody asks about any more ends.
"""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from hornbook.core.errors import UsageError

Tell = Callable[[int], None]
"""Is told of files as they are found."""
_ALONE_S, _KEPT_S, _MOST = 20.0, 600.0, 8
"""After which a look that nobody asks about ends; how long one stays, and how many there may be."""


def _over() -> UsageError:
    return UsageError("This look is over; look again.")


class Look:
    """seen: files that were found so far. template, facts: of the page of what it found."""

    def __init__(self, template: str, facts: dict[str, Any]) -> None:
        self.id, self.seen, self.ended = secrets.token_urlsafe(8), 0, False
        self.template, self.facts = template, facts
        self.found: Any = None
        self.error: Exception | None = None
        self.asked = time.monotonic()

    def more(self, files: int) -> None:
        """Count files. Raises UsageError where nobody waits any more."""
        self.seen += files
        if time.monotonic() - self.asked > _ALONE_S:
            raise _over()

    def run(self, work: Callable[[Tell], Any]) -> None:
        """Do it."""
        try:
            self.found = work(self.more)
        except Exception as error:  # whoever asks is told
            self.error = error
        self.ended = True


class BegunLooks:
    """All of a studio, those that ended not long ago among them."""

    def __init__(self) -> None:
        self._all: dict[str, Look] = {}
        self._one = threading.Lock()

    def begin(self, work: Callable[[Tell], Any], template: str, **facts: Any) -> Look:
        """Look at something. work: is told whom to tell of files; what it returns is `found` in
        the template. Raises UsageError while as many others look as there may be."""
        look, now = Look(template, facts), time.monotonic()
        with self._one:
            kept = {id: one for id, one in self._all.items() if now - one.asked < _KEPT_S}
            ended = [id for id, one in kept.items() if one.ended]
            if len(kept) - len(ended) >= _MOST:
                raise UsageError("Much is being looked at already; ask again in a moment.")
            for id in ended[:-_MOST]:
                del kept[id]
            self._all = {**kept, look.id: look}
        threading.Thread(target=look.run, args=(work,), daemon=True).start()
        return look

    def find(self, id: str) -> Look:
        """One of them, which is waited for. Raises UsageError where there is none."""
        look = self._all.get(id)
        if look is None:
            raise _over()
        look.asked = time.monotonic()
        return look
