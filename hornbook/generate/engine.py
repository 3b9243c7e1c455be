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

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.generate.decode import SequenceModel
from hornbook.generate.sampler import TokenLogprobs, TokenSampler
from hornbook.generate.scheduler import (
    Finish,
    GenerationRequest,
    Scheduler,
    SchedulerConfig,
    check_prompt,
)


class RequestToken(NamedTuple):
    """A new token of a request; finished says why it is the last, or None. logprobs: where they
    were asked for. reused: of its prompt's tokens, those that were not computed for it."""

    handle: int
    id: int
    finished: Finish | None
    logprobs: TokenLogprobs | None = None
    reused: int = 0


class RequestFailed(HornbookError):
    """A request cannot go on, all others can. handle: which; error: why."""

    def __init__(self, handle: int, error: HornbookError) -> None:
        super().__init__(str(error))
        self.handle, self.error, self.exit_code = handle, error, error.exit_code


@dataclass
class _Answering:
    """One request: who chooses its tokens, and what it did not have to read."""

    handle: int
    sampler: TokenSampler
    reused: int = 0


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
        self._config = config or SchedulerConfig()
        self.vocab = model.vocab
        self._sequences = model.sequences(self._config.slots + self._config.kept, capacity)
        self._start()
        self.prompt_tokens = self.reused_tokens = 0

    def restart(self) -> None:
        """Forget all requests and all that was read, whatever happened in a step."""
        for slot in range(self._config.slots + self._config.kept):
            self._sequences.cut(slot, 0)
        self._start()

    def _start(self) -> None:
        sequences = self._sequences
        self._scheduler = Scheduler(self._config, sequences.capacity, sequences.cuttable)
        self._answering: dict[int, _Answering] = {}
        self._slots: dict[int, _Answering] = {}
        self._undelivered: list[RequestToken] = []
        self._failed: deque[RequestFailed] = deque()

    @property
    def capacity(self) -> int:
        """Tokens that a request can have."""
        return self._scheduler.capacity

    @property
    def running(self) -> int:
        """Requests that are computed."""
        return self._scheduler.running

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot."""
        return self._scheduler.waiting

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._scheduler.idle and not self._undelivered and not self._failed

    def check(self, request: GenerationRequest) -> TokenSampler:
        """Who would choose a request's tokens; changes nothing, in any thread.

        Raises HornbookError for an empty prompt or one that leaves no room, and UsageError for a
        logit_bias of a token that is not there.
        """
        check_prompt(request.prompt, self.capacity)
        return TokenSampler(request.config, request.prompt, self.vocab, request.constraint)

    def submit(self, request: GenerationRequest) -> int:
        """Queue a request; returns the handle that its tokens carry.

        Raises what `check` raises, before any work.
        """
        sampler = self.check(request)
        handle = self._scheduler.submit(request)
        self._answering[handle] = _Answering(handle, sampler)
        return handle

    def cancel(self, handle: int) -> bool:
        """End a request at once, wherever it is; no token of it comes any more. False if it is not
        there (any more). What its slot holds can still be continued from."""
        self._undelivered = [token for token in self._undelivered if token.handle != handle]
        self._answering.pop(handle, None)
        return self._scheduler.cancel(handle)

    def step(self, computing: Callable[[], None] | None = None) -> list[RequestToken]:
        """Compute one step; the new tokens, at most one a request, none while prompts are read.

        computing: is called when the model's computing begins, if it does: what other threads of
        Python do from then on keeps this one waiting least.

        Raises RequestFailed when a constraint allows nothing or fails: its request is cancelled,
        all others go on, and their tokens of this step come with the next one.
        """
        if self._failed:
            raise self._failed.popleft()
        if self._undelivered:
            ready, self._undelivered = self._undelivered, []
            return ready
        logits = self._compute(computing)
        tokens = []
        for slot in sorted(logits):
            handle = self._slots[slot].handle
            try:
                tokens.append(self._choose(slot, logits[slot]))
            except HornbookError as error:
                self.cancel(handle)
                self._failed.append(RequestFailed(handle, error))
        if self._failed:
            self._undelivered = tokens
            raise self._failed.popleft()
        return tokens

    def run(self) -> Iterator[RequestToken]:
        """Steps until there is nothing to do; requests may be submitted meanwhile."""
        while not self.idle:
            yield from self.step()

    def _compute(self, computing: Callable[[], None] | None) -> dict[int, np.ndarray]:
        """Run the next plan; the logits (V,) of the slots that get a token."""
        plan = self._scheduler.plan()
        for slot in plan.forgotten:
            self._sequences.cut(slot, 0)
        for slot, handle, _, kept in plan.admitted:
            self._sequences.cut(slot, kept)
            self._slots[slot] = self._answering[handle]
            self._reuse(slot, kept)
        for source, slot, length, more in plan.takeovers:
            self._sequences.copy(source, slot, length)
            self._reuse(slot, more)
        new: dict[int, Sequence[int]] = {slot: [token] for slot, token in plan.decode.items()}
        new |= {chunk.slot: chunk.ids for chunk in plan.chunks}
        logits = self._sequences.go_on(new, computing) if new else {}
        self.prompt_tokens += sum(len(chunk.ids) for chunk in plan.chunks)
        unfinished = {chunk.slot for chunk in plan.chunks if not chunk.last}
        return {slot: each for slot, each in logits.items() if slot not in unfinished}

    def _reuse(self, slot: int, tokens: int) -> None:
        self._slots[slot].reused += tokens
        self.reused_tokens += tokens

    def _choose(self, slot: int, logits: np.ndarray) -> RequestToken:
        one = self._slots[slot]
        token, logprobs = one.sampler.next(logits)
        finished = self._scheduler.accept(slot, token)
        if finished:
            del self._answering[one.handle]
        else:
            one.sampler.advance(token)
        return RequestToken(one.handle, token, finished, logprobs, one.reused)
