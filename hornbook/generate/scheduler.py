"""Who is computed when: requests wait in a queue, take a slot, read their prompts and write tokens.

Iteration-level scheduling (Orca, Yu et al., OSDI 2022) with prompts in chunks beside the decoding
(Sarathi-Serve, Agrawal et al., OSDI 2024), over slots of a fixed size each. Knows ids and counts of
tokens; knows nothing of tensors, models or how a token is chosen.

The rules:

- Requests are admitted in the order they came, each as soon as a slot is free.
- Every slot that is writing gets one token in every step: no prompt holds up a running stream.
- What is left of the step's budget goes to prompts, round robin: the first in the circle reads as
  much as is left; if its prompt ends within that, the next one reads on, else it goes to the end.

So nobody waits forever. With `slots` slots and a budget of `step_tokens`, a prompt of n tokens is
read within slots * ceil(n / (step_tokens - slots + 1)) steps of its admission: at most slots - 1
others are writing or in the circle before it. It then writes a token a step, of which there are at
most `max_tokens`, and whoever is first in the queue takes its slot.

A slot keeps what its last request left in the cache, so that the next turn of a conversation only
reads what is new (the idea of SGLang's RadixAttention, Zheng et al. 2024, without sharing between
slots). A request goes on in the slot that saves it most, among those of which it keeps at least
half: it never throws away more than it saves. If there is none, it takes the slot that was free
longest, and keeps what it happens to share with it.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Self

import pydantic

from hornbook.core.config import Config
from hornbook.core.errors import HornbookError
from hornbook.generate.sampling import Constraint, SamplingConfig

Finish = Literal["stop", "length", "context"]
"""A token that ends the answer; max_tokens; no room in the context."""


class SchedulerConfig(Config):
    """slots: requests that are computed together. step_tokens: at most so many tokens of prompts
    and answers go through the model in one step; fewer mean shorter waits between the tokens of
    running streams, more mean prompts in larger and so faster pieces.
    """

    slots: int = pydantic.Field(default=8, ge=1)
    # SmolLM2's shape in float32 on one core: 46 tokens/s in pieces of 128, 55 in pieces of 512,
    # which keep running streams waiting for four times as long.
    step_tokens: int = pydantic.Field(default=128, ge=1)

    @pydantic.model_validator(mode="after")
    def _leaves_something_for_prompts(self) -> Self:
        if self.step_tokens < self.slots:
            raise ValueError(
                f"step_tokens = {self.step_tokens} is less than slots = {self.slots}: "
                "prompts could wait forever"
            )
        return self


@dataclass(frozen=True)
class GenerationRequest:
    """prompt: ids. stop_ids: end the answer. constraint: what may come next; it belongs to this
    request alone, as it remembers how far the answer has come."""

    prompt: Sequence[int]
    config: SamplingConfig
    stop_ids: frozenset[int] = frozenset()
    constraint: Constraint | None = None


class Admission(NamedTuple):
    """A request takes a slot, of whose cache it keeps the first `kept` tokens."""

    slot: int
    handle: int
    request: GenerationRequest
    kept: int


class Chunk(NamedTuple):
    """The next ids of a slot's prompt; last: the token after them is wanted."""

    slot: int
    ids: list[int]
    last: bool


class StepPlan(NamedTuple):
    """What one step computes, in this order. decode: the newest token of each writing slot."""

    admitted: list[Admission]
    decode: dict[int, int]
    chunks: list[Chunk]

    @property
    def tokens(self) -> int:
        """That go through the model."""
        return len(self.decode) + sum(len(chunk.ids) for chunk in self.chunks)


@dataclass
class _Running:
    """newest: the last token that was chosen, not in the cache yet; None while reading."""

    handle: int
    request: GenerationRequest
    prompt: list[int]
    count: int = 0
    newest: int | None = None


@dataclass
class _Slot:
    """held: the ids whose entries the cache holds. freed: when it was freed last, 0 for never."""

    held: list[int] = field(default_factory=list)
    running: _Running | None = None
    freed: int = 0


class Scheduler:
    """Plans steps; is told of every token that was chosen. One owner, no locks."""

    def __init__(self, config: SchedulerConfig, capacity: int, cuttable: bool) -> None:
        """capacity: tokens a slot can hold. cuttable: whether its cache can be cut to any prefix,
        as
        that of attention; a recurrent one can only be kept whole."""
        self.config, self.capacity, self.cuttable = config, capacity, cuttable
        self._slots = [_Slot() for _ in range(config.slots)]
        self._queue: deque[tuple[int, GenerationRequest]] = deque()
        self._reading: deque[int] = deque()
        self._handles, self._clock = itertools.count(), itertools.count(1)

    @property
    def idle(self) -> bool:
        """Whether no request waits or runs."""
        return not self._queue and all(slot.running is None for slot in self._slots)

    def submit(self, request: GenerationRequest) -> int:
        """Queue a request; returns its handle, a number of its own.

        Raises HornbookError for an empty prompt or one that leaves no room.
        """
        check_prompt(request.prompt, self.capacity)
        handle = next(self._handles)
        self._queue.append((handle, request))
        return handle

    def cancel(self, handle: int) -> bool:
        """Forget a request, waiting or running; its slot is free at once. False if it is not there
        (any more)."""
        for i, (waiting, _) in enumerate(self._queue):
            if waiting == handle:
                del self._queue[i]
                return True
        for i, slot in enumerate(self._slots):
            if slot.running is not None and slot.running.handle == handle:
                self._free(i)
                return True
        return False

    def plan(self) -> StepPlan:
        """What to compute next. It counts as computed from now on."""
        admitted = self._admit()
        decode = {
            i: slot.running.newest
            for i, slot in enumerate(self._slots)
            if slot.running is not None and slot.running.newest is not None
        }
        for i, newest in decode.items():
            self._slots[i].held.append(newest)
        return StepPlan(admitted, decode, self._read(self.config.step_tokens - len(decode)))

    def accept(self, slot: int, token: int) -> Finish | None:
        """The token that was chosen for a slot; says whether and why it is the last."""
        running = self._slots[slot].running
        assert running is not None
        running.newest = token
        running.count += 1
        full = len(running.prompt) + running.count >= self.capacity
        request = running.request
        finished = finish_reason(
            token, running.count, request.config.max_tokens, request.stop_ids, full
        )
        if finished:
            self._free(slot)
        return finished

    def _admit(self) -> list[Admission]:
        admitted = []
        while self._queue and (free := [i for i, s in enumerate(self._slots) if not s.running]):
            handle, request = self._queue.popleft()
            prompt = list(request.prompt)
            chosen, kept = self._choose(free, prompt)
            slot = self._slots[chosen]
            slot.running = _Running(handle, request, prompt)
            del slot.held[kept:]
            self._reading.append(chosen)
            admitted.append(Admission(chosen, handle, request, kept))
        return admitted

    def _choose(self, free: list[int], prompt: list[int]) -> tuple[int, int]:
        """The slot that a prompt takes, and how many of its held tokens it keeps."""
        kept = {i: self._shared(self._slots[i].held, prompt) for i in free}
        going_on = [i for i in free if 0 < len(self._slots[i].held) <= 2 * kept[i]]
        if going_on:
            slot = max(going_on, key=lambda i: kept[i])
        else:
            slot = min(free, key=lambda i: self._slots[i].freed)
        return slot, kept[slot]

    def _shared(self, held: list[int], prompt: list[int]) -> int:
        """How many held tokens a prompt can keep; one of its own is always left to compute."""
        most = min(len(held), len(prompt) - 1)
        if self.cuttable:
            return next((i for i in range(most) if held[i] != prompt[i]), most)
        return len(held) if most == len(held) and prompt[:most] == held else 0

    def _read(self, budget: int) -> list[Chunk]:
        """Chunks of prompts, of at most `budget` tokens in all."""
        chunks = []
        while budget and self._reading:
            i = self._reading.popleft()
            slot = self._slots[i]
            assert slot.running is not None
            prompt = slot.running.prompt
            ids = prompt[len(slot.held) : len(slot.held) + budget]
            slot.held += ids
            budget -= len(ids)
            last = len(slot.held) == len(prompt)
            chunks.append(Chunk(i, ids, last))
            if not last:
                self._reading.append(i)
        return chunks

    def _free(self, i: int) -> None:
        slot = self._slots[i]
        slot.running, slot.freed = None, next(self._clock)
        if i in self._reading:
            self._reading.remove(i)


def check_prompt(prompt: Sequence[int], capacity: int) -> None:
    """Raises HornbookError for an empty prompt or one that leaves no room for a token."""
    if not prompt:
        raise HornbookError("A prompt has 0 tokens: there is nothing to continue.")
    if len(prompt) >= capacity:
        raise HornbookError(
            f"A prompt has {len(prompt)} tokens; this model takes 1 to {capacity - 1}."
        )


def finish_reason(
    token: int, count: int, max_tokens: int, stop_ids: frozenset[int], full: bool
) -> Finish | None:
    """Why the count-th token of an answer is its last, or None. full: it has no successor's room.

    A token that is never computed needs no room, so an answer may be as long as the context.
    """
    if token in stop_ids:
        return "stop"
    if count >= max_tokens:
        return "length"
    return "context" if full else None
