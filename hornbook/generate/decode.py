"""The token loop: prompts, then one token at a time, each row for itself.

What a row gives does not depend on the rows beside it. Knows ids; knows nothing of text, nor of
what computes: models of torch and kernels of our own answer alike.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from hornbook.generate.sampler import TokenLogprobs, TokenSampler
from hornbook.generate.sampling import Constraint, SamplingConfig
from hornbook.generate.scheduler import Finish, check_prompt, finish_reason


class Sequences(Protocol):
    """Some sequences, by their rows, and what a model remembers of them.

    capacity: tokens that each can have. cuttable: whether one can be cut anywhere, not to nothing
    only. lazy: whether memory is taken as tokens come, and given back when they are cut off.
    """

    @property
    def capacity(self) -> int: ...

    @property
    def cuttable(self) -> bool: ...

    @property
    def lazy(self) -> bool: ...

    def go_on(
        self, new: Mapping[int, Sequence[int]], computing: Callable[[], None] | None = None
    ) -> dict[int, np.ndarray]:
        """Go on with one or more tokens in some rows; the logits after the last of each, (V,)
        float32. computing: is called when computing begins, which keeps no other thread of Python
        waiting. Raises HornbookError, before anything is changed, when a row would outgrow its
        capacity."""

    def check(self, row: int, ids: Sequence[int]) -> np.ndarray:
        """As `go_on` in one row; the logits after each of the tokens, (T, V)."""

    def cut(self, row: int, length: int) -> None:
        """Let a row hold its first `length` tokens only, as if the others had never come."""

    def copy(self, source: int, target: int, length: int) -> None:
        """Let a row hold what another holds first, `length` tokens; only where `cuttable`."""

    def drop(self, rows: Sequence[int]) -> None:
        """These rows do not go on: their memory may be given back."""

    def bytes_of_position(self) -> int:
        """What a token in one row takes, as far as the memory grows with tokens."""


class SequenceModel(Protocol):
    """What generation sees of a model. vocab: ids that it gives logits for. context: the most
    tokens of a sequence."""

    @property
    def vocab(self) -> int: ...

    @property
    def context(self) -> int: ...

    def sequences(self, rows: int, capacity: int | None = None) -> Sequences:
        """Empty sequences of at most `capacity` tokens (None: the context)."""


class RowToken(NamedTuple):
    """A new token of a row; finished says why it is the row's last, or None. logprobs: where they
    were asked for."""

    row: int
    id: int
    finished: Finish | None
    logprobs: TokenLogprobs | None = None


def decode(
    model: SequenceModel,
    prompts: Sequence[Sequence[int]],
    config: SamplingConfig,
    stop_ids: frozenset[int],
    constraints: Sequence[Constraint | None] | None = None,
) -> Generator[RowToken, bool | None, None]:
    """Continue every prompt, yielding tokens as they come, row by row.

    Sending True after a step ends its row, for whoever reads more out of the tokens than ids say.

    A row ends with one of `stop_ids` ("stop"), after max_tokens ("length") or when the context is
    full ("context"). Each row draws with random numbers of its own, among what its constraint
    allows where it has one. Raises HornbookError, before any work, for an empty prompt or one that
    leaves no room.
    """
    sequences = model.sequences(len(prompts), max(map(len, prompts)) + config.max_tokens)
    for prompt in prompts:
        check_prompt(prompt, sequences.capacity)
    samplers = [
        TokenSampler(config, prompt, model.vocab, limit)
        for prompt, limit in zip(prompts, constraints or [None] * len(prompts), strict=True)
    ]
    counts = [0] * len(prompts)
    new: dict[int, Sequence[int]] = dict(enumerate(prompts))
    while new:
        logits = sequences.go_on(new)
        chosen = {row: samplers[row].next(logits[row]) for row in new}
        new = {}
        for row, (token, logprobs) in chosen.items():
            counts[row] += 1
            full = len(prompts[row]) + counts[row] >= sequences.capacity
            finished = finish_reason(token, counts[row], config.max_tokens, stop_ids, full)
            ended = yield RowToken(row, token, finished, logprobs)
            if not (finished or ended):
                new[row] = [token]
                samplers[row].advance(token)
        if new and len(new) < len(chosen):
            sequences.drop([row for row in chosen if row not in new])
