"""Training that ends in time: the steps that are left follow the time that is left.

A machine that others begin to use makes a forecast wrong. A hook notices it while it goes wrong,
and cuts the run: fewer steps, and a schedule that falls to zero at the new end. The cut is part of
the state, so that a resumed run has it too; so is the number of threads, where it changes because
others begin to compute or leave.
"""

import time
from collections.abc import Callable

from hornbook.core.clock import Clock
from hornbook.core.threads import faster
from hornbook.training.schedule import Cut, last_step
from hornbook.training.state import TrainState

_WINDOW, _LEAST_WINDOW_S = 1 / 12, 1.0
"""How long steps are watched before they are judged: a share of the time, and at least."""
_LOOKS, _LEAST_LOOKS_S = 1 / 3, 3.0
"""How often it is looked how many threads are faster: a share of the time, and at least. A fifth,
and three rounds each time, took an eighth of a run of a minute (docs/log.md)."""
_TRYING = 0.05
"""Of the time that is left: after how much of it one thread is taken untried."""
_SLACK = 0.1
"""Of the time: a run that would end later by more than this is cut."""


class Pace:
    """A hook. clock: of the training alone, evaluations and the like included.

    steps: planned. cut: called after a cut with the state and the seconds of a step.
    """

    def __init__(
        self, clock: Clock, steps: int, state: TrainState, cut: Callable[[TrainState, float], None]
    ) -> None:
        self._clock, self._steps, self._cut = clock, steps, cut
        self._window_s = max(_LEAST_WINDOW_S, _WINDOW * clock.given_s) if clock.limited else 0.0
        self._since, self._step = time.monotonic(), state.step

    def __call__(self, state: TrainState) -> None:
        now = time.monotonic()
        watched_s, watched = now - self._since, state.step - self._step
        last = last_step(self._steps, state.cuts)
        if not self._clock.limited or watched_s < self._window_s or state.step >= last:
            return
        self._since, self._step = now, state.step
        step_s, left_s = watched_s / watched, self._clock.left_s()
        if (last - state.step) * step_s <= left_s + _SLACK * self._clock.given_s:
            return
        ends = state.step + max(0, int(left_s / step_s))
        if ends < last:
            state.cuts.append(Cut(state.step, ends))
            self._cut(state, step_s)
            self._since = time.monotonic()  # what a cut costs is not what a step takes


class Threads:
    """A hook that looks, now and then, whether one thread or `most` of them are faster.

    clock: of the training. work: a part of the step that comes, nothing kept of it. now: how many
    there are. changed: called with the state after a change, which is in it then.
    """

    def __init__(
        self,
        clock: Clock,
        most: int,
        now: int,
        work: Callable[[TrainState], object],
        changed: Callable[[TrainState], None],
    ) -> None:
        self._clock, self._most, self._now = clock, most, now
        self._work, self._changed = work, changed
        self._window_s = max(_LEAST_LOOKS_S, _LOOKS * clock.given_s) if clock.limited else 0.0
        self._since = time.monotonic()

    def __call__(self, state: TrainState) -> None:
        if not self._clock.limited or self._most == 1:
            return
        if time.monotonic() - self._since < self._window_s:
            return
        most_s = _TRYING * self._clock.left_s()
        count = faster(lambda: self._work(state), self._most, rounds=1, most_s=most_s)
        if count != self._now:
            self._now = count
            state.threads.append((state.step, count))
            self._changed(state)
        self._since = time.monotonic()
