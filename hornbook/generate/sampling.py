"""From logits to the next token: greedy, or drawn from a distribution that was cut down.

Knows distributions; knows nothing of models or text.
"""

import torch
from pydantic import Field
from torch import Tensor

from hornbook.core.config import Config


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


def choose(logits: Tensor, config: SamplingConfig, generator: torch.Generator) -> int:
    """The next id for one row of logits (V,).

    Temperature first, then top-k, top-p and min-p, each on the probabilities the one before left.
    Equal logits in greedy choice: the lowest id.
    """
    logits = logits.float()
    if config.temperature == 0:
        return int(logits.argmax())
    probabilities = cut(torch.softmax(logits / config.temperature, 0), config).cpu()
    # Drawing by the inverse of the distribution takes one number, on every device the same.
    draw = torch.rand((), generator=generator, dtype=torch.float64)
    cumulative = probabilities.double().cumsum(0)
    index = int(torch.searchsorted(cumulative, draw * cumulative[-1], right=True))
    return min(index, int(probabilities.nonzero()[-1]))


def cut(probabilities: Tensor, config: SamplingConfig) -> Tensor:
    """Set what top-k, top-p and min-p leave out to zero, and make the rest sum to one; (V,)."""
    if config.top_k is not None and config.top_k < len(probabilities):
        order = probabilities.argsort(descending=True, stable=True)
        probabilities = probabilities.index_fill(0, order[config.top_k :], 0.0)
        probabilities = probabilities / probabilities.sum()
    if config.top_p < 1:
        ordered, order = probabilities.sort(descending=True, stable=True)
        before = ordered.cumsum(0) - ordered
        probabilities = probabilities.index_fill(0, order[before >= config.top_p], 0.0)
        probabilities = probabilities / probabilities.sum()
    if config.min_p > 0:
        probabilities = probabilities * (probabilities >= config.min_p * probabilities.max())
        probabilities = probabilities / probabilities.sum()
    return probabilities
