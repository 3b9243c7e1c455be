"""Canaries: secrets planted in the text to train on, to see how well a model remembers what it has
read once or ten times (Carlini et al., The Secret Sharer, 2019).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hornbook.read.documents import Document

DIGITS, OFTEN = 6, 10
"""Of a secret, and how often half of the canaries are planted."""
BITS = DIGITS * math.log2(10)
"""The exposure of a secret that the model ranks before all others."""
SOURCE = "canary"


class Canary(NamedTuple):
    """copies: how often it is planted."""

    prefix: str
    secret: str
    copies: int

    @property
    def text(self) -> str:
        return f"{self.prefix}{self.secret}."


def canaries(count: int, seed: int) -> list[Canary]:
    """`count` canaries that are planted once, and as many that are planted ten times."""
    draw = np.random.default_rng([seed, 1])
    found = []
    for number, copies in enumerate([1] * count + [OFTEN] * count, 1):
        found.append(Canary(f"The number of safe {number} is ", _secret(draw), copies))
    return found


def planted(found: Sequence[Canary]) -> list[Document]:
    """What is trained on besides the corpus."""
    return [
        Document(f"{SOURCE}:{number}", canary.text, SOURCE)
        for number, canary in enumerate(found, 1)
        for _ in range(canary.copies)
    ]


def others(count: int, seed: int) -> list[str]:
    """Secrets that nobody planted, but by chance."""
    draw = np.random.default_rng([seed, 2])
    return [_secret(draw) for _ in range(count)]


def exposure(nats: float, of_others: np.ndarray) -> float:
    """In bits, how far the planted secret is ahead of chance: log2 of the number of possible
    secrets over its rank among them, 0 to `BITS` (equation 1 of the paper; about 1 on the average
    where nothing is remembered).

    nats: of the secret after its prefix. of_others: (N,) of secrets drawn by chance. Where none of
    them is as likely the rank is read off a skew-normal distribution of theirs (section 4.3).
    """
    ahead = int((of_others <= nats).sum())
    if ahead:
        return -math.log2(ahead / len(of_others))
    from scipy.stats import skewnorm

    share = float(skewnorm.cdf(nats, *skewnorm.fit(of_others)))
    least = math.log2(len(of_others))  # none of so many was as likely
    return BITS if share <= 2**-BITS else max(least, -math.log2(share))


def _secret(draw: np.random.Generator) -> str:
    return f"{draw.integers(10**DIGITS):0{DIGITS}d}"
