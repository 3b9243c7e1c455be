"""Several streams at once: requests go in at any time, tokens come out step by step.

Scheduler (who is computed when), a model's sequences and sampling, put together. A request gets
the same ids whatever is computed beside it, in whatever slot and chunks, and whatever it continues
from: those of `decode` alone. Two things of a request would differ otherwise: its draws, which are
its own, and equal logits, of which greedy choice takes the first. What remains is rounding:
products of matrices differ in their last bits with the number of rows and with what a token was
computed beside, so two candidates that are as near as that can change places, in greedy choice and
in a draw's race (`sampling.choose`). In float32 the 500 random schedules of
tests/generate/test_engine.py see none. A model of short floats keeps the promise as far as its
kernels round every row alike; those of `kernels` do.

Not safe for threads: one owner calls, as a server's loop does.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import SequenceModel
from hornbook.generate.sampling import choose
from hornbook.generate.scheduler import Finish, GenerationRequest, Scheduler, SchedulerConfig


class RequestToken(NamedTuple):
    """A new token of a request; finished says why it is the last, or None."""

    handle: int
    id: int
    finished: Finish | None


class _Draws(NamedTuple):
    handle: int
    request: GenerationRequest
    random: np.random.Generator


class Engine:
    """Continuous batching of a model's requests.

    prompt_tokens: of prompts, computed so far. reused_tokens: of prompts, found in a slot instead.
    """

    def __init__(
        self,
        model: SequenceModel,
        config: SchedulerConfig | None = None,
        capacity: int | None = None,
    ) -> None:
        """capacity: tokens that a request can have, prompt and answer together (None: the model's
        context). All slots' memory is taken now."""
        config = config or SchedulerConfig()
        self._sequences = model.sequences(config.slots, capacity)
        self._scheduler = Scheduler(config, self._sequences.capacity, self._sequences.cuttable)
        self._draws: dict[int, _Draws] = {}
        self._undelivered: list[RequestToken] = []
        self.prompt_tokens = self.reused_tokens = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._scheduler.idle and not self._undelivered

    def submit(self, request: GenerationRequest) -> int:
        """Queue a request; returns the handle that its tokens carry.

        Raises HornbookError, before any work, for an empty prompt or one that leaves no room.
        """
        return self._scheduler.submit(request)

    def cancel(self, handle: int) -> bool:
        """End a request at once, wherever it is; no token of it comes any more. False if it is not
        there (any more). What its slot holds can still be continued from."""
        self._undelivered = [token for token in self._undelivered if token.handle != handle]
        return self._scheduler.cancel(handle)

    def step(self) -> list[RequestToken]:
        """Compute one step; the new tokens, at most one a request, none while prompts are read.

        Raises HornbookError when a constraint allows nothing or fails: its request is cancelled,
        all others go on, and their tokens of this step come with the next one.
        """
        if self._undelivered:
            ready, self._undelivered = self._undelivered, []
            return ready
        logits = self._compute()
        failed: HornbookError | None = None
        tokens = []
        for slot in sorted(logits):
            try:
                tokens.append(self._choose(slot, logits[slot]))
            except HornbookError as error:
                self._scheduler.cancel(self._draws[slot].handle)
                failed = error
        if failed is not None:
            self._undelivered = tokens
            raise failed
        return tokens

    def run(self) -> Iterator[RequestToken]:
        """Steps until there is nothing to do; requests may be submitted meanwhile."""
        while not self.idle:
            yield from self.step()

    def _compute(self) -> dict[int, np.ndarray]:
        """Run the next plan; the logits (V,) of the slots that get a token."""
        plan = self._scheduler.plan()
        for slot, handle, request, kept in plan.admitted:
            self._sequences.cut(slot, kept)
            self._draws[slot] = _Draws(handle, request, request.config.draws())
            self.reused_tokens += kept
        new: dict[int, Sequence[int]] = {slot: [token] for slot, token in plan.decode.items()}
        new |= {chunk.slot: chunk.ids for chunk in plan.chunks}
        logits = self._sequences.go_on(new) if new else {}
        self.prompt_tokens += sum(len(chunk.ids) for chunk in plan.chunks)
        unfinished = {chunk.slot for chunk in plan.chunks if not chunk.last}
        return {slot: each for slot, each in logits.items() if slot not in unfinished}

    def _choose(self, slot: int, logits: np.ndarray) -> RequestToken:
        handle, request, random = self._draws[slot]
        limit = request.constraint
        token = choose(logits, request.config, random, limit.allowed() if limit else None)
        finished = self._scheduler.accept(slot, token)
        if limit is not None and not finished:
            limit.advance(token)
        return RequestToken(handle, token, finished)
