"""The one place where logits become the next token of an answer, for every token loop.

A `TokenSampler` belongs to one answer: its random numbers, what its penalties count, the rule that
it must keep. In this order: logit_bias, repetition_penalty, frequency_penalty and presence_penalty
(the order of llama.cpp's chain), what the constraint allows, then `sampling.choose`. An answer
that asks for none of them pays for none.
"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.errors import UsageError
from hornbook.generate.sampling import Constraint, PenaltyConfig, SamplingConfig, choose, likeliest


class TokenLogprobs(NamedTuple):
    """Natural logarithms of probabilities, as the model gave them: before temperature, penalties,
    bias and constraint (as OpenAI's API). chosen: of the token. top: the likeliest ids with
    theirs, the likeliest first."""

    chosen: float
    top: tuple[tuple[int, float], ...]


class ChosenToken(NamedTuple):
    """The next token; logprobs where they were asked for."""

    id: int
    logprobs: TokenLogprobs | None


class TokenSampler:
    """Chooses the tokens of one answer."""

    def __init__(
        self,
        config: SamplingConfig,
        prompt: Sequence[int],
        vocab: int,
        constraint: Constraint | None = None,
    ) -> None:
        """prompt: ids. vocab: ids that there are logits for.

        Raises UsageError for a logit_bias of an id that the model does not have.
        """
        for id, _ in config.logit_bias:
            if id >= vocab:
                raise UsageError(f"logit_bias: token {id} is not there; ids are 0 to {vocab - 1}.")
        self._config, self._constraint = config, constraint
        self._draws = config.draws()
        self._bias = _pairs(config.logit_bias) if config.logit_bias else None
        self._penalties = _Penalties(config, prompt) if config.penalties else None

    def next(self, logits: np.ndarray) -> ChosenToken:
        """The token after logits (V,). Raises HornbookError when the constraint allows none."""
        limit, changed = self._constraint, logits
        if self._bias:
            changed = logits.copy()
            changed[self._bias[0]] += self._bias[1]
        if self._penalties:
            changed = self._penalties.on(changed)
        allowed = None if limit is None else limit.allowed()
        id = choose(changed, self._config, self._draws, allowed)
        wanted = self._config.top_logprobs
        return ChosenToken(id, None if wanted is None else logprobs_of(logits, id, wanted))

    def advance(self, id: int) -> None:
        """The answer goes on after a token. Raises HornbookError where the constraint fails."""
        if self._penalties:
            self._penalties.take_in(id)
        if self._constraint is not None:
            self._constraint.advance(id)


class _Penalties:
    """What was written so far, and what it costs to write it again."""

    def __init__(self, config: PenaltyConfig, prompt: Sequence[int]) -> None:
        self._config = config
        self._written: Counter[int] = Counter()
        window = config.repetition_window
        self._recent = deque(prompt, maxlen=None if window < 0 else window)

    def on(self, logits: np.ndarray) -> np.ndarray:
        """Logits (V,) with all penalties, as a copy."""
        config, found = self._config, logits.copy()
        if config.repetition_penalty != 1 and self._recent:
            ids = np.fromiter(set(self._recent), np.int64)
            old = found[ids]
            factor = np.float32(config.repetition_penalty)
            found[ids] = np.where(old > 0, old / factor, old * factor)
        if self._written and (config.frequency_penalty or config.presence_penalty):
            ids, counts = _pairs(list(self._written.items()))
            found[ids] -= counts * np.float32(config.frequency_penalty)
            found[ids] -= np.float32(config.presence_penalty)
        return found

    def take_in(self, id: int) -> None:
        self._written[id] += 1
        self._recent.append(id)


def _pairs(values: Sequence[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Ids int64 and their values float32, (N,) each."""
    ids, numbers = zip(*values, strict=True)
    return np.array(ids, np.int64), np.array(numbers, np.float32)


def logprobs_of(logits: np.ndarray, id: int, top: int) -> TokenLogprobs:
    """Of a token and of the `top` likeliest; the lower id first of those that are equal."""
    best = logits.max()
    total = float(best) + float(np.log(np.exp(logits - best).sum(dtype=np.float64)))
    shown = likeliest(logits, min(top, len(logits))) if top else ()
    return TokenLogprobs(
        float(logits[id]) - total, tuple((int(i), float(logits[i]) - total) for i in shown)
    )
