"""The learning rate over a run whose end is known: warm-up, plateau, straight fall to zero.

A run that turns out to be too long is cut: it falls straight to zero at its new end, from the rate
that it had when it was cut.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import Field

from hornbook.core.config import Config


class Cut(NamedTuple):
    """From optimiser step `at` on the run has `steps` steps in all, fewer than before."""

    at: int
    steps: int


def last_step(steps: int, cuts: Sequence[Cut]) -> int:
    """How many steps a run has that was planned with `steps`."""
    return cuts[-1].steps if cuts else steps


class ScheduleConfig(Config):
    """warmup, cooldown: shares of all steps (trapezoid of Hägele et al. 2024)."""

    warmup: float = Field(default=0.02, ge=0.0, le=1.0)
    cooldown: float = Field(default=0.6, ge=0.0, le=1.0)

    def factor(self, step: int, steps: int, cuts: Sequence[Cut] = ()) -> float:
        """The factor of the peak learning rate at optimiser step `step` (from 0) of `steps`.

        cuts: made before this step, in order.
        """
        rising = (step + 1) / max(1.0, self.warmup * steps)
        height, length, end = 1.0, max(1.0, self.cooldown * steps), steps
        for cut in cuts:
            height = min(1.0, height * (end - cut.at) / length)
            end = cut.steps
            # From the plateau there may be time for more of it; a fall that began goes on.
            length = max(1.0, min(self.cooldown * end, end - cut.at))
        return min(1.0, rising, height * (end - step) / length)


POST_NORM = ScheduleConfig(warmup=0.05, cooldown=0.7)
"""Post-norm models need their warm-up."""
