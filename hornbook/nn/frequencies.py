"""How fast each pair of channels turns with the position, and what stretches a context.

Configs of rotary positions (Su et al. 2021) and numbers made from them once; imports no torch.
"""

import math
from abc import ABC, abstractmethod
from typing import Annotated, Literal

import numpy as np
import pydantic

from hornbook.core.config import Config


class _Scaling(Config, ABC):
    """What is done to the frequencies of a model so that it reads further than it was trained."""

    @property
    def amplitude(self) -> float:
        """What cosines and sines are multiplied by."""
        return 1.0

    @abstractmethod
    def scaled(self, powers: np.ndarray, theta: float, reach: int) -> np.ndarray:
        """The frequencies (C/2,) float32 of pairs that would turn by 1 / powers a token.

        reach: how many tokens a sequence may come to have.
        """


class LinearScaling(_Scaling):
    """All positions are divided by `factor` (Chen et al. 2023)."""

    kind: Literal["linear"] = "linear"
    factor: float

    def scaled(self, powers: np.ndarray, theta: float, reach: int) -> np.ndarray:
        return np.float32(1) / powers / np.float32(self.factor)


class Llama3Scaling(_Scaling):
    """Long wavelengths are divided by `factor`, short ones are kept (Llama 3.1 report, 2024).

    original: the context of pretraining. Between original / high and original / low tokens a turn,
    both are mixed.
    """

    kind: Literal["llama3"] = "llama3"
    factor: float
    low: float = 1.0
    high: float = 4.0
    original: int

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> "Llama3Scaling":
        if not self.low < self.high:
            raise ValueError(f"low_freq_factor = {self.low} is not below {self.high}")
        return self

    def scaled(self, powers: np.ndarray, theta: float, reach: int) -> np.ndarray:
        plain = np.float32(1) / powers
        turns = np.float32(self.original) / (np.float32(2 * math.pi) / plain)
        share = (turns - np.float32(self.low)) / np.float32(self.high - self.low)
        share = share.clip(0, 1)
        return (1 - share) * plain / np.float32(self.factor) + share * plain


class YarnScaling(_Scaling):
    """YaRN (Peng et al. 2023): pairs that turn more than `fast` times in the original context are
    kept, those below `slow` turns are divided by `factor`, with a ramp over the pairs between.

    attention: the amplitude; None for 0.1 ln(factor) + 1. whole: the ramp begins and ends at whole
    pairs.
    """

    kind: Literal["yarn"] = "yarn"
    factor: float
    original: int
    fast: float = 32.0
    slow: float = 1.0
    attention: float | None = None
    whole: bool = True

    @property
    def amplitude(self) -> float:
        if self.attention is not None:
            return self.attention
        return yarn_amplitude(self.factor)

    def scaled(self, powers: np.ndarray, theta: float, reach: int) -> np.ndarray:
        channels = 2 * len(powers)

        def pair(turns: float) -> float:
            """The pair that turns so often in the original context."""
            wavelength = self.original / (turns * 2 * math.pi)
            return channels * math.log(wavelength) / (2 * math.log(theta))

        low, high = pair(self.fast), pair(self.slow)
        if self.whole:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, channels - 1)
        # Where both are the same pair, what follows it is stretched.
        width = high - low if high != low else 0.001
        ramp = ((np.arange(len(powers), dtype=np.float32) - low) / np.float32(width)).clip(0, 1)
        kept, stretched = np.float32(1) / powers, np.float32(1) / (np.float32(self.factor) * powers)
        found: np.ndarray = stretched * ramp + kept * (1 - ramp)
        return found


class LongScaling(_Scaling):
    """LongRoPE (Ding et al. 2024): each pair has a divisor of its own, found by a search.

    short, long: for sequences of up to `original` tokens, and for longer ones. Which of them is
    settled when a sequence begins, by the room that it has: keys that are remembered are turned.
    attention: the amplitude.
    """

    kind: Literal["long"] = "long"
    short: tuple[float, ...]
    long: tuple[float, ...]
    original: int
    attention: float = 1.0

    @property
    def amplitude(self) -> float:
        return self.attention

    def scaled(self, powers: np.ndarray, theta: float, reach: int) -> np.ndarray:
        divisors = self.long if reach > self.original else self.short
        found: np.ndarray = np.float32(1) / (np.array(divisors, np.float32) * powers)
        return found


Scaling = Annotated[
    LinearScaling | Llama3Scaling | YarnScaling | LongScaling, pydantic.Discriminator("kind")
]


class RotaryConfig(Config):
    """theta: the base of the wavelengths, 2 pi theta^(2i/C) tokens for pair i.

    channels: of a head, the first ones that turn; None for all. scaling: of the frequencies.
    """

    theta: float = 10_000.0
    channels: int | None = None
    scaling: Scaling | None = None

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "RotaryConfig":
        if self.channels is not None and (self.channels <= 0 or self.channels % 2):
            raise ValueError(f"channels that turn are pairs, not {self.channels}")
        return self

    def pairs(self, head: int) -> int:
        """How many pairs of a head of `head` channels turn."""
        return (self.channels or head) // 2

    @property
    def amplitude(self) -> float:
        """What cosines and sines are multiplied by."""
        return self.scaling.amplitude if self.scaling else 1.0

    def switches_at(self) -> int | None:
        """The reach beyond which other frequencies hold, if there is one."""
        scaling = self.scaling
        if not isinstance(scaling, LongScaling) or scaling.short == scaling.long:
            return None
        return scaling.original

    def frequencies(self, head: int, reach: int = 0) -> np.ndarray:
        """Radians a token, (pairs,) float32, for sequences that may come to have `reach` tokens."""
        pairs = self.pairs(head)
        # Rounded as the ecosystem's models round: at position 10,000 a last bit is 1e-3 rad.
        exponents = np.arange(pairs, dtype=np.float32) / np.float32(pairs)
        powers = (self.theta ** exponents.astype(np.float64)).astype(np.float32)
        if self.scaling is None:
            return np.float32(1) / powers
        return self.scaling.scaled(powers, self.theta, reach).astype(np.float32)


def yarn_amplitude(factor: float, weight: float = 1.0) -> float:
    """0.1 weight ln(factor) + 1, eq. 22 of Peng et al. 2023; 1 where nothing is stretched."""
    return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0
