"""One token of every row by one recorded graph of kernels (CUDA graphs).

On a GPU a single token is a few hundred kernels of microseconds each: starting them one by one from
Python takes longer than they do. Recorded once, they are started by one call. A graph has fixed
shapes: it looks at a multiple of `_STEP` entries of the cache, and those behind a row's own are
hidden by its mask.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from hornbook.models.causal_lm import CausalLM
from hornbook.models.sequences import StateSequences
from hornbook.nn.capacity import require_capacity
from hornbook.nn.contract import Context, Mask, State

_STEP = 256
"""Entries by which a graph looks further than another: each has its own, as long as it is used."""

Record = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""Makes of some work the same work done quickly: on the same tensors, into the same result."""


def recorded(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The work as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # libraries prepare themselves in the first, outside the graph
        work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = work()

    def again() -> Tensor:
        graph.replay()
        return found

    return again


class GraphedDecoder:
    """A decoder that takes single tokens of all its rows by graphs; whatever else is asked, the
    model answers.

    model: a `recordable` one. record: how work is recorded.
    """

    def __init__(self, model: CausalLM, record: Record = recorded) -> None:
        self.model, self._record = model, record
        self.vocab, self.context, self.head = model.vocab, model.context, model.head
        self._state: State | None = None
        self._graphs: dict[int, Callable[[], Tensor]] = {}

    def __call__(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """As the model's: logits (B, T, V) of the token after each."""
        if tokens.shape[1] > 1 or valid is not None:
            found: Tensor = self.model(tokens, state, valid)
            return found
        reach = int(state.length.max()) + 1
        require_capacity(reach, state.capacity)
        self._keep(state)
        self._tokens.copy_(tokens)
        self._pos.copy_(state.length[:, None])
        reach = min(-(-reach // _STEP) * _STEP, state.capacity)
        if reach not in self._graphs:
            self._graphs[reach] = self._record(lambda: self._one(reach))
        logits = self._graphs[reach]()
        state.advance(1)
        return logits

    def go_on(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """As the model's."""
        return self.model.go_on(tokens, state, valid)

    def sequences(self, rows: int, capacity: int | None = None) -> StateSequences:
        """As the model's."""
        return StateSequences(self, self.model.new_state(rows, capacity))

    def _keep(self, state: State) -> None:
        """Graphs are of one memory: another needs its own."""
        if self._state is not None and _same_memory(self._state, state):
            return
        rows, device = len(state.length), state.length.device
        self._state, self._graphs = replace(state), {}
        self._tokens = torch.zeros(rows, 1, dtype=torch.int64, device=device)
        self._pos = torch.zeros(rows, 1, dtype=torch.int64, device=device)
        # With it keys are written by position, and hidden by position: nothing depends on `reach`.
        self._valid = torch.ones(rows, 1, dtype=torch.bool, device=device)

    def _one(self, reach: int) -> Tensor:
        assert self._state is not None
        mask = Mask(causal=True, valid=self._valid)
        ctx = Context(self._pos, mask, reach, shared={}, room=self._state.capacity)
        embedded = self.model.embedding(self._tokens, ctx.pos)
        x: Tensor = self.model.stack(embedded, ctx, self._state.caches)
        multiplier = self.model.config.multiplier
        logits: Tensor = self.model.head(x if multiplier == 1 else x * multiplier)
        return logits


def _same_memory(one: State, other: State) -> bool:
    """Whether two states hold the same tensors."""
    return all(
        mine[name].data_ptr() == theirs[name].data_ptr() and mine[name].shape == theirs[name].shape
        for mine, theirs in zip(one.caches, other.caches, strict=True)
        for name in mine
    )


def graphed(model: CausalLM) -> CausalLM | GraphedDecoder:
    """The model, on a GPU by graphs where its steps can be recorded."""
    return GraphedDecoder(model) if model.device.type == "cuda" and recordable(model) else model


def recordable(model: CausalLM) -> bool:
    """Whether a step is always the same kernels, and may be done twice: no experts that tokens
    choose, no recurrence."""
    steady = not any(getattr(module, "uncompiled", False) for module in model.modules())
    return steady and all(_remembers_positions(model))


def _remembers_positions(model: CausalLM) -> Iterator[bool]:
    """Of each layer, whether all that it remembers belongs to a position."""
    state = model.new_state(1, 1)
    for cache, names in zip(state.caches, state.positional, strict=True):
        yield cache.keys() <= names
