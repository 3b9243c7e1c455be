"""How losses fall with what was learned from: a power law through a few runs, with what it says of
a larger one.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.stats import Estimate


class PowerLaw(NamedTuple):
    """loss = scale * size ** -exponent (Kaplan et al. 2020, equation 1.2), over a short range, in
    which what no model can learn does not show.

    spread: standard deviation of the residuals of the logarithm, with `freedom` degrees of freedom.
    sizes: logarithms of those that it was found on.
    """

    scale: float
    exponent: float
    spread: float
    freedom: int
    sizes: tuple[float, ...]

    @classmethod
    def through(cls, sizes: Sequence[float], losses: Sequence[float]) -> "PowerLaw":
        """By least squares of logarithms; at least three runs of different sizes."""
        x, y = np.log(sizes), np.log(losses)
        slope, height = np.polyfit(x, y, 1)
        freedom = len(x) - 2
        left = y - (height + slope * x)
        spread = math.sqrt(float(np.square(left).sum()) / freedom)
        return cls(math.exp(height), -float(slope), spread, freedom, tuple(x.tolist()))

    def at(self, size: float) -> Estimate:
        """The loss of a run of a size, with the 95 % interval of a single new run (Student's t)."""
        from scipy.stats import t

        x, known = math.log(size), np.array(self.sizes)
        off = (x - known.mean()) ** 2 / float(np.square(known - known.mean()).sum())
        half = float(t.ppf(0.975, self.freedom)) * self.spread * math.sqrt(1 + 1 / len(known) + off)
        value = math.log(self.scale) - self.exponent * x
        return Estimate(math.exp(value), math.exp(value - half), math.exp(value + half))
