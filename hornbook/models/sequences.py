"""What generation asks of a model, answered by one that maps tensors: ids in, logits in numpy out.

Prompts are read in chunks, those of neighbouring rows that hold as many tokens together, shorter
ones padded on the right; single tokens are one call over the rows from the first to the last that
get one, in which the others are marked invalid. Rows are views of one state, so nothing is copied
and no other row is touched.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hornbook.nn.capacity import require_capacity
from hornbook.nn.contract import State

PROMPT_CHUNK = 512
"""Tokens of prompts taken at once: large enough to be fast, small enough for memory."""


class Stepwise(Protocol):
    """A model that goes on from a state."""

    def __call__(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """Logits (B, T, V) after each of tokens (B, T) int64; valid (B, T) bool."""

    def go_on(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """What `head` reads, (B, T, D): of a prompt the logits of one token are enough."""

    def head(self, x: Tensor) -> Tensor:
        """Logits (..., V)."""


class StateSequences:
    """Sequences of a model, one in each row of a state."""

    lazy = False

    def __init__(self, model: Stepwise, state: State) -> None:
        self._model, self._state = model, state
        self._places = {row: row for row in range(len(state.length))}
        self.capacity, self.cuttable = state.capacity, state.cuttable

    @torch.inference_mode()
    def go_on(
        self, new: Mapping[int, Sequence[int]], computing: Callable[[], None] | None = None
    ) -> dict[int, np.ndarray]:
        """The logits (V,) after the last of one or more tokens in some rows."""
        held = self._held(new)
        if computing is not None:
            computing()
        places = {self._places[row]: list(ids) for row, ids in new.items()}
        found = self._step({p: ids[0] for p, ids in places.items() if len(ids) == 1})
        found |= self._read({p: ids for p, ids in places.items() if len(ids) > 1}, held)
        return {row: found[self._places[row]] for row in new}

    @torch.inference_mode()
    def check(self, row: int, ids: Sequence[int]) -> np.ndarray:
        """The logits (T, V) after each of some tokens in a row."""
        self._held({row: ids})
        place = self._places[row]
        return _numbers(self._model(self._tensor([ids]), self._view(place, place + 1))[0])

    @torch.inference_mode()
    def cut(self, row: int, length: int) -> None:
        """Let a row hold its first `length` tokens only."""
        self._state.cut(self._places[row], length)

    @torch.inference_mode()
    def copy(self, source: int, target: int, length: int) -> None:
        """Let a row hold what another holds first."""
        self._state.copy(self._places[source], self._places[target], length)

    @torch.inference_mode()
    def drop(self, rows: Sequence[int]) -> None:
        """Go on with the other rows only."""
        kept = [row for row in self._places if row not in rows]
        indices = self._tensor([self._places[row] for row in kept])
        self._state = self._state.take(indices)
        self._places = {row: place for place, row in enumerate(kept)}

    def bytes_of_position(self) -> int:
        """What a token in one row takes, as far as the memory grows with tokens."""
        state = self._state
        return sum(
            cache[name].numel() * cache[name].element_size() // (len(state.length) * self.capacity)
            for cache, growing in zip(state.caches, state.positional, strict=True)
            for name in growing
        )

    def _held(self, new: Mapping[int, Sequence[int]]) -> list[int]:
        """Tokens of each place; raises HornbookError where some of `new` would be too many."""
        held: list[int] = self._state.length.tolist()
        for row, ids in new.items():
            require_capacity(held[self._places[row]] + len(ids), self.capacity)
        return held

    def _step(self, new: Mapping[int, int]) -> dict[int, np.ndarray]:
        if not new:
            return {}
        first, stop = min(new), max(new) + 1
        tokens = self._tensor([[new.get(place, 0)] for place in range(first, stop)])
        valid = None
        if len(new) < stop - first:
            valid = self._tensor([[place in new] for place in range(first, stop)])
        logits = _numbers(self._model(tokens, self._view(first, stop), valid)[:, -1])
        return {place: logits[place - first] for place in new}

    def _read(self, new: Mapping[int, Sequence[int]], held: Sequence[int]) -> dict[int, np.ndarray]:
        found: dict[int, np.ndarray] = {}
        for first, stop in _runs(sorted(new), held):
            run = [new[place] for place in range(first, stop)]
            last = _numbers(self._read_together(run, self._view(first, stop)))
            found |= {first + i: logits for i, logits in enumerate(last)}
        return found

    def _read_together(self, run: Sequence[Sequence[int]], state: State) -> Tensor:
        """The logits (B, V) after the last token of each."""
        lengths = self._tensor([len(ids) for ids in run])
        longest = max(map(len, run))
        tokens = self._tensor([[*ids, *[0] * (longest - len(ids))] for ids in run])
        last: list[Tensor] = [torch.empty(0)] * len(run)
        chunk = max(1, PROMPT_CHUNK // len(run))
        for start in range(0, longest, chunk):
            part = tokens[:, start : start + chunk]
            at = torch.arange(start, start + part.shape[1], device=tokens.device)
            valid = at < lengths[:, None]
            features = self._model.go_on(part, state, None if bool(valid.all()) else valid)
            for i, ids in enumerate(run):
                if start < len(ids) <= start + part.shape[1]:
                    last[i] = self._model.head(features[i, len(ids) - 1 - start])
        return torch.stack(last)

    def _view(self, first: int, stop: int) -> State:
        everything = stop - first == len(self._places)
        return self._state if everything else self._state.view(first, stop)

    def _tensor(self, values: Sequence[object]) -> Tensor:
        return torch.tensor(values, device=self._state.length.device)


def _runs(places: Sequence[int], held: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Neighbours that hold as many tokens: [0, 1, 4] gives (0, 2) and (4, 5).

    Padding of one that holds little could stand where another that holds much has no room.
    """
    numbered = enumerate(places)
    for _, run in itertools.groupby(numbered, key=lambda pair: (pair[1] - pair[0], held[pair[1]])):
        together = [place for _, place in run]
        yield together[0], together[-1] + 1


def _numbers(logits: Tensor) -> np.ndarray:
    found: np.ndarray = logits.float().cpu().numpy()
    return found
