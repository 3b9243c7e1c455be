"""From logits to the next token: greedy, or drawn from a distribution that was cut down.

Knows distributions; knows nothing of models or text.
"""

from typing import Protocol

import torch
from pydantic import Field
from torch import Tensor

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError


class SamplingConfig(Config):
    """temperature: 0 is greedy. top_k: keep the k likeliest, None for all. top_p: keep the smallest
    set that holds this probability (Holtzman et al. 2020). min_p: drop what is less likely than
    this share of the likeliest (Nguyen et al. 2024). seed: of the draws. max_tokens: at most so
    many. stop: texts that end the answer and are not shown.
    """

    temperature: float = Field(default=1.0, ge=0.0, allow_inf_nan=False)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    min_p: float = Field(default=0.0, ge=0.0, lt=1.0)
    seed: int = Field(default=0, ge=0, lt=2**63)
    max_tokens: int = Field(default=200, ge=1)
    stop: tuple[str, ...] = ()


_EQUAL = 2e-6
"""Of the largest logit: nearer ones are equal. A product of matrices tells equal columns apart by
up to half of this, and not in all numbers of rows alike (float32, 576 channels, 49,152 columns)."""


class Constraint(Protocol):
    """Which ids may come next in one answer; it is told of each that came and was not the last."""

    def allowed(self) -> Tensor | None:
        """(V,) bool with at least one True, the end's included; None for everything."""

    def advance(self, id: int, /) -> None: ...


def choose(
    logits: Tensor,
    config: SamplingConfig,
    generator: torch.Generator,
    allowed: Tensor | None = None,
) -> int:
    """The next id for one row of logits (V,), among those that are allowed, (V,) bool or None.

    Temperature first, then top-k, top-p and min-p, each on the probabilities the one before left.
    Equal logits in greedy choice: the lowest id. Raises HornbookError when nothing is allowed.
    """
    logits = logits.float()
    if allowed is not None:
        allowed = allowed.to(logits.device)
        if not bool(allowed.any()):
            raise HornbookError("The constraint allows no token.")
        logits = logits.masked_fill(~allowed, -torch.inf)
    if config.temperature == 0:
        best = logits.max()
        return int((logits >= best - _EQUAL * best.abs().clamp(min=1)).int().argmax())
    probabilities = cut(torch.softmax(logits / config.temperature, 0), config).cpu()
    # A race: id i comes after an exponential time of rate p_i, and the first is drawn with p_i
    # (Gumbel-max, Maddison et al. 2014). Only two that come in together change places by rounding.
    # Drawing one number by the inverse of the distribution takes half the time, but what is rounded
    # anywhere moves every border after it (tests/generate/test_choose.py).
    times = -torch.rand(len(probabilities), generator=generator, dtype=torch.float64).log()
    return int((probabilities.double() / times).argmax())


def cut(probabilities: Tensor, config: SamplingConfig) -> Tensor:
    """Set what top-k, top-p and min-p leave out to zero, and make the rest sum to one; (V,)."""
    if config.top_k is not None and config.top_k < len(probabilities):
        order = probabilities.argsort(descending=True, stable=True)
        probabilities = probabilities.index_fill(0, order[config.top_k :], 0.0)
        probabilities = probabilities / probabilities.sum()
    if config.top_p < 1:
        order = _likeliest(probabilities, config.top_p)
        ordered = probabilities[order]
        kept = order[ordered.cumsum(0) - ordered < config.top_p]
        probabilities = torch.zeros_like(probabilities).index_copy(0, kept, probabilities[kept])
        probabilities = probabilities / probabilities.sum()
    if config.min_p > 0:
        probabilities = probabilities * (probabilities >= config.min_p * probabilities.max())
        probabilities = probabilities / probabilities.sum()
    return probabilities


def _likeliest(probabilities: Tensor, share: float) -> Tensor:
    """Ids from the likeliest on, the lower of equals first, as many as make up `share` or more.

    All ids below a hundred-thousandth or so have too little together to be among them, and sorting
    the few that are left takes a twentieth of the time of sorting all.
    """
    enough = (1 - share) / (2 * len(probabilities))
    found = (probabilities >= enough).nonzero()[:, 0]
    return found[probabilities[found].argsort(descending=True, stable=True)]
