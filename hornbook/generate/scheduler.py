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
read within slots * (ceil(n / (step_tokens - slots + 1)) + slots - 1) steps of its admission: at
most slots - 1 others are writing or in the circle before it. It then writes a token a step, of
which there are at most `max_tokens`, and whoever is first in the queue takes its slot.

Slots keep what their requests left in the cache, and `kept` more of them than are computed
together, so that the next turn of a conversation only reads what is new (the idea of SGLang's
RadixAttention, Zheng et al. 2024, with whole sequences in the place of a tree). A request goes on
in the free slot that saves it most, among those of which it keeps at least half: it never throws
away more than it saves. If there is none, it takes the slot that was free longest, and a copy of
the longest beginning that any slot holds. Where another reads the same beginning just then, it
waits for it, if that is half of what it has to read or as much as a step: many answers to one
prompt read it once.
"""

import bisect
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
    running streams, more mean prompts in larger and so faster pieces. kept: slots beyond those that
    are computed, which hold what ended requests left. kept_tokens: that all slots without a request
    may hold together; what was used longest ago is forgotten first. None for no limit.
    """

    slots: int = pydantic.Field(default=8, ge=1)
    # SmolLM2's shape in float32 on one core: 46 tokens/s in pieces of 128, 55 in pieces of 512,
    # which keep running streams waiting for four times as long.
    step_tokens: int = pydantic.Field(default=128, ge=1)
    kept: int = pydantic.Field(default=0, ge=0)
    kept_tokens: int | None = pydantic.Field(default=None, ge=0)

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


class Takeover(NamedTuple):
    """A slot gets a copy of the first `length` tokens of another, in the place of what it holds;
    `new` of them it did not hold."""

    source: int
    slot: int
    length: int
    new: int


class Chunk(NamedTuple):
    """The next ids of a slot's prompt; last: the token after them is wanted."""

    slot: int
    ids: list[int]
    last: bool


class StepPlan(NamedTuple):
    """What one step does, in this order. forgotten: slots that hold nothing any more. decode: the
    newest token of each writing slot."""

    forgotten: list[int]
    admitted: list[Admission]
    takeovers: list[Takeover]
    decode: dict[int, int]
    chunks: list[Chunk]

    @property
    def tokens(self) -> int:
        """That go through the model."""
        return len(self.decode) + sum(len(chunk.ids) for chunk in self.chunks)


class _Teacher(NamedTuple):
    """A slot, its request (None for one that is free) and how much of it is wanted."""

    slot: int
    handle: int | None
    length: int


@dataclass
class _Running:
    """newest: the last token that was chosen, not in the cache yet; None while reading. teacher:
    whose beginning it takes over, as soon as that is read."""

    handle: int
    request: GenerationRequest
    prompt: list[int]
    count: int = 0
    newest: int | None = None
    teacher: _Teacher | None = None


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
        as that of attention; a recurrent one can only be kept whole."""
        self.config, self.capacity, self.cuttable = config, capacity, cuttable
        self._slots = [_Slot() for _ in range(config.slots + config.kept)]
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
        forgotten, admitted = self._forget(), self._admit()
        takeovers = self._take_over()
        decode = {
            i: slot.running.newest
            for i, slot in enumerate(self._slots)
            if slot.running is not None and slot.running.newest is not None
        }
        for i, newest in decode.items():
            self._slots[i].held.append(newest)
        chunks = self._read(self.config.step_tokens - len(decode))
        return StepPlan(forgotten, admitted, takeovers, decode, chunks)

    @property
    def running(self) -> int:
        """Requests that have a slot."""
        return sum(slot.running is not None for slot in self._slots)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

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

    def _forget(self) -> list[int]:
        """Free slots beyond what may be kept, those that were used longest ago."""
        most = self.config.kept_tokens
        idle = [i for i, slot in enumerate(self._slots) if not slot.running and slot.held]
        total, forgotten = sum(len(self._slots[i].held) for i in idle), list[int]()
        for i in sorted(idle, key=lambda i: self._slots[i].freed):
            if most is None or total <= most:
                break
            total -= len(self._slots[i].held)
            self._slots[i].held = []
            forgotten.append(i)
        return forgotten

    def _admit(self) -> list[Admission]:
        admitted, running = list[Admission](), self.running
        while self._queue and running < self.config.slots:
            handle, request = self._queue.popleft()
            prompt = list(request.prompt)
            chosen, kept = self._choose(prompt)
            slot = self._slots[chosen]
            slot.running = _Running(handle, request, prompt, teacher=self._teacher(prompt, kept))
            del slot.held[kept:]
            self._reading.append(chosen)
            admitted.append(Admission(chosen, handle, request, kept))
            running += 1
        return admitted

    def _choose(self, prompt: list[int]) -> tuple[int, int]:
        """The slot that a prompt takes, and how many of its held tokens it keeps."""
        free = [i for i, slot in enumerate(self._slots) if not slot.running]
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
            return _in_common(held, prompt, most)
        return len(held) if most == len(held) and prompt[:most] == held else 0

    def _teacher(self, prompt: list[int], kept: int) -> _Teacher | None:
        """Who holds more of a prompt's beginning than the `kept` tokens that are there, or is about
        to read so much more that waiting pays; None where nobody does."""
        if not self.cuttable:
            return None
        pays = min(self.config.step_tokens, (len(prompt) - kept + 1) // 2)
        best, found = kept, None
        for i, slot in enumerate(self._slots):
            shared, other = self._shared(slot.held, prompt), slot.running
            if other is not None and other.newest is None:
                later = self._shared(other.prompt, prompt)
                shared = later if later - max(kept, shared) >= pays else shared
            if shared > best:
                best, found = shared, _Teacher(i, other.handle if other else None, shared)
        return found

    def _take_over(self) -> list[Takeover]:
        """What slots get from their teachers, as soon as these have read it or are gone."""
        found = []
        for i in self._reading:
            slot = self._slots[i]
            running = slot.running
            if running is None or running.teacher is None or self._learns(running.teacher):
                continue
            source = running.teacher.slot
            length = self._shared(self._slots[source].held, running.prompt)
            if length > len(slot.held):
                found.append(Takeover(source, i, length, length - len(slot.held)))
                slot.held = running.prompt[:length]
            running.teacher = None
        return found

    def _learns(self, teacher: _Teacher) -> bool:
        """Whether it has not read yet what is wanted of it."""
        slot = self._slots[teacher.slot]
        there = slot.running is not None and slot.running.handle == teacher.handle
        return there and len(slot.held) < teacher.length

    def _read(self, budget: int) -> list[Chunk]:
        """Chunks of prompts, of at most `budget` tokens in all."""
        chunks = []
        for _ in range(len(self._reading)):
            i = self._reading.popleft()
            slot = self._slots[i]
            assert slot.running is not None
            if not budget:
                self._reading.appendleft(i)
                break
            if slot.running.teacher is not None:
                self._reading.append(i)
                continue
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


def _in_common(one: list[int], other: list[int], most: int) -> int:
    """How many ids two lists begin with together, at most `most` of them."""
    if one[:most] == other[:most]:
        return most
    return bisect.bisect_left(range(most), True, key=lambda n: one[: n + 1] != other[: n + 1])


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
