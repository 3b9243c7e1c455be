"""From logits to the next token: greedy, or drawn from a distribution that was cut down.

In numpy, on the CPU: the logits of a token are few numbers, and a process that generates without
torch starts in a fraction of the time and memory.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Field, field_validator

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError

_Id = Annotated[int, Field(ge=0)]
_Bias = Annotated[float, Field(ge=-100.0, le=100.0)]


class PenaltyConfig(Config):
    """What it costs an answer to repeat.

    presence_penalty, frequency_penalty: taken off the logit of an id that is in the answer so far,
    once and as often as it is there; what was in the prompt does not count (OpenAI's API: "how
    often that token was sampled"). repetition_penalty: divides the logit of an id among the last
    repetition_window ids of prompt and answer, or multiplies it where it is below zero (Keskar et
    al. 2019; llama.cpp's repeat_penalty and repeat_last_n, and its 64); 1 does nothing. A window of
    -1 counts all ids, as `transformers` does.
    """

    presence_penalty: float = Field(default=0.0, ge=-2.0, le=2.0)
    frequency_penalty: float = Field(default=0.0, ge=-2.0, le=2.0)
    repetition_penalty: float = Field(default=1.0, ge=0.1, le=10.0)
    repetition_window: int = Field(default=64, ge=-1)

    @property
    def penalties(self) -> dict[str, float]:
        """All of them by name, where any does something; else nothing."""
        found = self.model_dump(include=set(PenaltyConfig.model_fields))
        return found if found | {"repetition_window": 64} != PenaltyConfig().model_dump() else {}


class SamplingConfig(PenaltyConfig):
    """How an answer is drawn, and how long it is.

    temperature: 0 is greedy. top_k: keep the k likeliest, None for all. top_p: keep the smallest
    set that holds this probability (Holtzman et al. 2020). min_p: drop what is less likely than
    this share of the likeliest (Nguyen et al. 2024). seed: of the draws. answer: which of several
    to one prompt; each draws with random numbers of its own, the first with those of one alone.
    max_tokens: at most so many. stop: texts that end the answer and are not shown.

    logit_bias: by id, what is added to its logit, -100 to 100 (OpenAI's API). top_logprobs: give
    the log-probability of each token and of so many of the likeliest; None for neither.
    """

    temperature: float = Field(default=1.0, ge=0.0, allow_inf_nan=False)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    min_p: float = Field(default=0.0, ge=0.0, lt=1.0)
    seed: int = Field(default=0, ge=0, lt=2**63)
    answer: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=200, ge=1)
    stop: tuple[str, ...] = ()
    logit_bias: tuple[tuple[_Id, _Bias], ...] = ()
    top_logprobs: int | None = Field(default=None, ge=0)

    @field_validator("logit_bias", mode="before")
    @classmethod
    def _in_order(cls, value: Any) -> Any:
        """A mapping as pairs: the order in which ids were written changes nothing."""
        return tuple(sorted(value.items())) if isinstance(value, Mapping) else value

    def draws(self) -> np.random.Generator:
        """The random numbers of one answer."""
        return np.random.default_rng([self.seed, self.answer] if self.answer else self.seed)


_EQUAL = 2e-6
"""Of the largest logit: nearer ones are equal. A product of matrices tells equal columns apart by
up to half of this, and not in all numbers of rows alike (float32, 576 channels, 49,152 columns)."""


class Constraint(Protocol):
    """Which ids may come next in one answer; it is told of each that came and was not the last."""

    def allowed(self) -> np.ndarray | None:
        """(V,) bool with at least one True, the end's included; None for everything."""

    def advance(self, id: int, /) -> None: ...


def choose(
    logits: np.ndarray,
    config: SamplingConfig,
    draws: np.random.Generator,
    allowed: np.ndarray | None = None,
) -> int:
    """The next id for one row of logits (V,), among those that are allowed, (V,) bool or None.

    Temperature first, then top-k, top-p and min-p, each on the probabilities the one before left.
    Equal logits in greedy choice: the lowest id. Raises HornbookError when nothing is allowed.
    """
    if allowed is not None:
        if not allowed.any():
            raise HornbookError("The constraint allows no token.")
        logits = np.where(allowed, logits, np.float32(-np.inf))
    best = logits.max()
    if not np.isfinite(best):
        raise HornbookError(
            "The model computes no numbers (NaN or infinite logits): its weights or sizes are not "
            "those of a trained model, or too large for the type that it runs in."
        )
    if config.temperature == 0:
        return int((logits >= best - _EQUAL * max(abs(best), 1)).argmax())
    weights = np.exp(_tempered(logits - best, config.temperature))
    return _race(*_kept(weights, config), draws.random(-(-len(weights) // _BLOCK) + _BLOCK))


_BLOCK = 64
"""Neighbouring ids that are drawn from together first, and then among each other."""
_SOON = 1e-300
"""In the place of a time of zero, which comes first."""


def _race(ids: np.ndarray | None, weights: np.ndarray, uniform: np.ndarray) -> int:
    """Draw an id with its share of all weights (N,) by numbers in [0, 1): one for each block of
    neighbours in the vocabulary, and one for each place in a block. ids: rising, whose weights they
    are; None for all there are.

    Each comes after an exponential time of its rate, and the first is drawn with its share
    (Gumbel-max, Maddison et al. 2014). The first of a block comes with the sum of its rates, so a
    block is drawn first, and then one of its ids: 832 numbers decide between 49,152 ids. Only two
    that come in together change places by rounding, of blocks as of ids. Drawing one number by the
    inverse of the distribution needs no race, but what is rounded anywhere moves every border after
    it (tests/generate/test_choose.py).
    """
    waits = np.maximum(-np.log1p(-uniform), _SOON)
    inside, blocks = waits[:_BLOCK], waits[_BLOCK:]
    if ids is None:
        rates = np.add.reduceat(weights, np.arange(0, len(weights), _BLOCK))
    else:
        rates = np.bincount(ids // _BLOCK, weights, len(blocks))
    first = _BLOCK * int((rates / blocks).argmax())
    if ids is None:
        found = weights[first : first + _BLOCK]
        return first + int((found / inside[: len(found)]).argmax())
    start, stop = ids.searchsorted([first, first + _BLOCK])
    near = ids[start:stop]
    return int(near[(weights[start:stop] / inside[near - first]).argmax()])


def _kept(weights: np.ndarray, config: SamplingConfig) -> tuple[np.ndarray | None, np.ndarray]:
    """The ids that top-k, top-p and min-p leave, rising, and their weights; None for all (V,)."""
    ids: np.ndarray | None = None
    if config.top_k is not None and config.top_k < len(weights):
        ids = np.sort(likeliest(weights, config.top_k))
        weights = weights[ids]
    if config.top_p < 1:
        ids, weights = _of(_nucleus(weights, config.top_p), ids, weights)
    if config.min_p > 0:
        enough = (weights >= config.min_p * weights.max()).nonzero()[0]
        ids, weights = _of(enough, ids, weights)
    return ids, weights


def _of(
    places: np.ndarray, ids: np.ndarray | None, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return places if ids is None else ids[places], weights[places]


def likeliest(values: np.ndarray, count: int) -> np.ndarray:
    """The ids of the `count` largest of (V,), the largest first, and of equals the lower.

    What is less than the count-th of the blocks' largest is not among them, so few are sorted.
    """
    pool = np.maximum.reduceat(values, np.arange(0, len(values), _BLOCK))
    pool = pool if count <= len(pool) else values
    near = (values >= np.partition(pool, -count)[-count]).nonzero()[0]
    order: np.ndarray = near[(-values[near]).argsort(kind="stable")][:count]
    return order


def _nucleus(weights: np.ndarray, share: float) -> np.ndarray:
    """The places of the largest of (N,), rising, as few as make up their `share` of all; of equals
    the first.

    All below a hundred-thousandth or so have too little together to be among them. Numbers alone
    are sorted in a fraction of the time that their places take.
    """
    total = weights.sum(dtype=np.float64)
    near = (weights >= (1 - share) * total / (2 * len(weights))).nonzero()[0]
    found = weights[near].astype(np.float64)
    ordered = np.sort(found)[::-1]
    count = int((ordered.cumsum() - ordered < share * total).sum())
    least = ordered[count - 1]
    above, equal = near[found > least], near[found == least]
    return np.sort(np.concatenate([above, equal[: count - len(above)]]))


def _tempered(logits: np.ndarray, temperature: float) -> np.ndarray:
    """logits / temperature, float32 where that can hold it; the largest logit is 0."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        found = logits / np.float32(temperature)
        if np.isfinite(found.max()):
            return found
        scaled: np.ndarray = logits.astype(np.float64) / temperature
        return scaled
