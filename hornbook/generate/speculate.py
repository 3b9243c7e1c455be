"""Speculative decoding: someone cheap guesses the next tokens, the model checks them in one pass.

A guess is kept where it is what the model would have chosen itself, greedily or by the same draw,
so the answer is that of `decode` (Leviathan et al. 2023 accept by a ratio of probabilities and keep
the distribution; here the very draw decides, which keeps the tokens). What remains is rounding: a
kernel that gives other bits for several tokens at once can turn two nearly equal candidates around;
those of `kernels` do not.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import RowToken, SequenceModel, Sequences
from hornbook.generate.sampler import TokenSampler
from hornbook.generate.sampling import Constraint, SamplingConfig
from hornbook.generate.scheduler import check_prompt, finish_reason

LONGEST = 8
"""Tokens guessed at once at the most: our kernels check so many at about twice the cost of one."""


class Drafter(Protocol):
    """Who guesses."""

    def propose(self, ids: Sequence[int], most: int) -> list[int]:
        """At most `most` ids that may follow; none when there is nothing to go by."""


class PromptLookup:
    """Guesses that what followed the same few tokens before follows again (Saxena 2023).

    Costs nothing, and is right where an answer repeats its prompt: summaries, corrections, code.
    """

    def __init__(self, longest: int = 3) -> None:
        """longest: tokens that must be the same; fewer, down to two, where there is none."""
        self._sizes = range(longest, 1, -1)
        self._seen: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}

    def propose(self, ids: Sequence[int], most: int) -> list[int]:
        """What followed the latest place that ends as `ids` do."""
        self._take_in(ids)
        for size in self._sizes:
            start = self._after.get(tuple(ids[-size:]))
            if start is not None:
                return list(ids[start : start + most])
        return []

    def _take_in(self, ids: Sequence[int]) -> None:
        """Remember where each few tokens are followed; the last ones have no follower yet."""
        known = len(self._seen)
        if known > len(ids) or self._seen != list(ids[:known]):
            self._seen, self._after, known = [], {}, 0
        for end in range(max(known, 1), len(ids)):
            for size in self._sizes:
                if size <= end:
                    self._after[tuple(ids[end - size : end])] = end
        self._seen = list(ids)


class ModelDrafter:
    """Guesses what a smaller model of the same vocabulary would say, greedily."""

    def __init__(self, model: SequenceModel) -> None:
        """Raises HornbookError for a model that remembers in a recurrent state."""
        self._model, self._sequences = model, model.sequences(1, 1)
        require_cuttable(self._sequences)
        self._held: list[int] = []

    def propose(self, ids: Sequence[int], most: int) -> list[int]:
        """The model's own continuation; nothing where its context is full."""
        self._make_room(len(ids) + most)
        most = min(most, self._sequences.capacity - len(ids))
        if most < 1:
            return []
        shared = next(
            (i for i, pair in enumerate(zip(self._held, ids, strict=False)) if pair[0] != pair[1]),
            min(len(self._held), len(ids)),
        )
        shared = min(shared, len(ids) - 1)
        self._sequences.cut(0, shared)
        new, found = list(ids[shared:]), list[int]()
        while len(found) < most:
            new = [int(self._sequences.go_on({0: new})[0].argmax())]
            found += new
        self._held = [*ids, *found[:-1]]
        return found

    def _make_room(self, tokens: int) -> None:
        """Larger sequences where they are needed and can be had; they have read nothing yet."""
        if tokens > self._sequences.capacity:
            larger = self._model.sequences(1, 2 * tokens)
            if larger.capacity > self._sequences.capacity:
                self._sequences, self._held = larger, []


def require_cuttable(sequences: Sequences) -> None:
    """Raises HornbookError where wrong guesses could not be taken out again."""
    if not sequences.cuttable:
        raise HornbookError(
            "This model remembers in a recurrent state, from which wrong guesses cannot be taken "
            "out again; leave --draft out."
        )


def decode_drafted(
    model: SequenceModel,
    prompt: Sequence[int],
    config: SamplingConfig,
    stop_ids: frozenset[int],
    drafter: Drafter,
    constraint: Constraint | None = None,
) -> Iterator[RowToken]:
    """Continue one prompt as `decode` does, with guesses of `drafter` checked on the way.

    Fewer tokens are guessed while guesses fail, so that a bad guesser costs little. Raises
    HornbookError, before any work, as `decode` does, and for a model with a recurrent state.
    """
    sequences = model.sequences(1, len(prompt) + config.max_tokens)
    check_prompt(prompt, sequences.capacity)
    require_cuttable(sequences)
    sampler = TokenSampler(config, prompt, model.vocab, constraint)
    ids, count, size = list(prompt), 0, LONGEST // 2
    logits, guesses = sequences.go_on({0: prompt})[0][None], list[int]()
    while True:
        right = 0
        for row, expected in zip(logits, [*guesses, None], strict=True):
            token, logprobs = sampler.next(row)
            ids.append(token)
            count += 1
            full = len(ids) >= sequences.capacity
            finished = finish_reason(token, count, config.max_tokens, stop_ids, full)
            yield RowToken(0, token, finished, logprobs)
            if finished:
                return
            sampler.advance(token)
            if token != expected:
                break
            right += 1
        sequences.cut(0, len(ids) - 1)
        if guesses:
            size = min(2 * size, LONGEST) if right == len(guesses) else max(right, 1)
        most = min(size, config.max_tokens - count - 1, sequences.capacity - len(ids) - 1)
        guesses = drafter.propose(ids, most) if most > 0 else []
        logits = sequences.check(0, [ids[-1], *guesses])
