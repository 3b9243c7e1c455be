"""A comparison's minutes: what is quick comes first, the rest shares what is left."""

from hornbook.core.clock import Clock
from hornbook.core.threads import slowness

_LEAST_S = 15.0
"""Seconds in which a model can be trained at all on a quiet machine: half of them begin
a process, load torch and learn a tokenizer."""
LEFT_OUT = "left out, as "
"""How it begins, where a rung says that its time is too little."""
_REPORT = 0.03
"""Of the minutes, what pairs of rungs and the report take."""
_QUICK = 0.5
"""Of what is left, the most that one quick rung may take while others wait that need time."""


class Shares:
    """timed: climbs that take what they are given. first: minutes that the first of them had."""

    def __init__(self, clock: Clock, timed: int) -> None:
        self._clock, self._waiting, self.first = clock, timed, 0.0
        self._least_s, self._last_s = 0.0, 0.0

    def quick(self) -> float | str:
        """Minutes that a rung may take which takes what it needs; why there is none."""
        left_s = self._left_s()
        share = left_s * (_QUICK if self._waiting else 1.0)
        return share / 60 if left_s > 0 else self._too_little()

    def next(self) -> float | str:
        """Minutes of the next rung that takes what it is given.

        Where there is too little for all, those at the end are left out.
        """
        left_s = self._left_s()
        self._least_s = max(self._least_s, _LEAST_S * slowness())
        affordable = int(left_s / self._least_s)
        sharing = min(self._waiting, affordable)
        self.drop(1)
        if sharing < 1:
            return self._too_little()
        self._last_s = left_s / sharing
        minutes = self._last_s / 60
        self.first = self.first or minutes
        return minutes

    def too_little(self) -> None:
        """What the last rung was given did not suffice: better fewer of them with more."""
        self._least_s = 1.5 * self._last_s

    def drop(self, count: int) -> None:
        """So many of those that wait will not come."""
        self._waiting -= count

    def _left_s(self) -> float:
        return self._clock.left_s(1 - _REPORT)

    def _too_little(self) -> str:
        left_s = max(0.0, self._clock.left_s())
        given = self._clock.given_s / 60
        return f"left out, as only {left_s:,.0f} s of {given:g} minutes were left"
