"""The minutes of a command: one clock from its beginning to its end, handed down to all it does.

`time.monotonic` alone is read: a wrong date or one that is set anew changes nothing, and the hours
that a machine sleeps are not counted.
"""

import math
import time
from typing import NamedTuple

OVERTIME = 1.25
"""Minutes are kept within a quarter, whatever happens on the machine."""


class Clock(NamedTuple):
    """minutes: given, all together; None where nothing limits them. began: by time.monotonic."""

    minutes: float | None
    began: float

    @classmethod
    def start(cls, minutes: float | None, began: float | None = None) -> "Clock":
        """A clock that began at a time of time.monotonic, or begins now."""
        return cls(minutes, time.monotonic() if began is None else began)

    @property
    def limited(self) -> bool:
        return self.minutes is not None

    @property
    def given_s(self) -> float:
        """Seconds in all; infinite where nothing limits them."""
        return math.inf if self.minutes is None else 60 * self.minutes

    def used_s(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.began

    def left_s(self, share: float = 1.0) -> float:
        """Seconds until a share of the minutes is over, negative afterwards; infinite for none."""
        return share * self.given_s - self.used_s()

    def part(self, share: float, reserve_s: float = 0.0) -> "Clock":
        """A clock that begins now and has a share of what is left, a reserve put aside."""
        if not self.limited:
            return Clock.start(None)
        return Clock.start(max(0.0, share * (self.left_s() - reserve_s)) / 60)


NO_LIMIT = Clock(None, 0.0)
