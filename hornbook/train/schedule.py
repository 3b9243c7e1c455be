"""The learning rate over a run whose end is known: warm-up, plateau, straight fall to zero."""

from pydantic import Field

from hornbook.core.config import Config


class ScheduleConfig(Config):
    """warmup, cooldown: shares of all steps (trapezoid of Hägele et al. 2024)."""

    warmup: float = Field(default=0.02, ge=0.0, le=1.0)
    cooldown: float = Field(default=0.6, ge=0.0, le=1.0)

    def factor(self, step: int, steps: int) -> float:
        """The factor of the peak learning rate at optimiser step `step` (from 0) of `steps`."""
        rising = (step + 1) / max(1.0, self.warmup * steps)
        falling = (steps - step) / max(1.0, self.cooldown * steps)
        return min(1.0, rising, falling)


POST_NORM = ScheduleConfig(warmup=0.05, cooldown=0.7)
"""Post-norm models need their warm-up."""
