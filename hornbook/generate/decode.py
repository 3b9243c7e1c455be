"""The token loop: prompts in chunks, then one token at a time, each row for itself.

What a row gives does not depend on the rows beside it. Knows ids; knows nothing of text.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from hornbook.core.errors import HornbookError
from hornbook.generate.sampling import SamplingConfig, choose
from hornbook.nn.contract import State

PROMPT_CHUNK = 512
"""Tokens of a prompt taken at once: large enough to be fast, small enough for memory."""


class Decoder(Protocol):
    """What generation sees of a model."""

    def __call__(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor: ...

    def new_state(self, rows: int, room: int | None = None) -> State: ...


class Step(NamedTuple):
    """A new token of a row; finished says why it is the row's last, or None."""

    row: int
    id: int
    finished: Literal["stop", "length", "context"] | None


def decode(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    config: SamplingConfig,
    stop_ids: frozenset[int],
) -> Iterator[Step]:
    """Continue every prompt, yielding tokens as they come, row by row.

    A row ends with one of `stop_ids` ("stop"), after max_tokens ("length") or when the context is
    full ("context"). Each row draws with a generator of its own. Raises HornbookError, before any
    work, for an empty prompt or one that leaves no room.
    """
    state = model.new_state(len(prompts))
    for prompt in prompts:
        if not 0 < len(prompt) < state.room:
            raise HornbookError(
                f"A prompt has {len(prompt)} tokens; this model takes 1 to {state.room - 1}."
            )
    generators = [torch.Generator().manual_seed(config.seed) for _ in prompts]
    counts = [0] * len(prompts)
    rows = list(range(len(prompts)))
    logits = _read_prompts(model, prompts, state)
    while rows:
        chosen = [choose(logits[i], config, generators[row]) for i, row in enumerate(rows)]
        going: list[int] = []
        for i, row in enumerate(rows):
            counts[row] += 1
            full = len(prompts[row]) + counts[row] >= state.room
            finished = _finished(chosen[i], counts[row], config, stop_ids, full)
            yield Step(row, chosen[i], finished)
            going += [] if finished else [i]
        if not going:
            return
        if len(going) < len(rows):
            state = state.take(torch.tensor(going, device=state.length.device))
            rows, chosen = [rows[i] for i in going], [chosen[i] for i in going]
        logits = _forward(model, torch.tensor(chosen)[:, None], state)[:, -1]


@torch.inference_mode()
def _read_prompts(model: Decoder, prompts: Sequence[Sequence[int]], state: State) -> Tensor:
    """Take in the prompts, shorter ones padded on the right; logits after each's end (B, V)."""
    longest = max(map(len, prompts))
    tokens = torch.zeros(len(prompts), longest, dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    last: list[Tensor] = [torch.empty(0)] * len(prompts)
    for start in range(0, longest, PROMPT_CHUNK):
        part = tokens[:, start : start + PROMPT_CHUNK]
        valid = start + torch.arange(part.shape[1]) < lengths[:, None]
        logits = _forward(model, part, state, valid)
        for row, length in enumerate(lengths.tolist()):
            if start < length <= start + part.shape[1]:
                last[row] = logits[row, length - 1 - start]
    return torch.stack(last)


@torch.inference_mode()
def _forward(model: Decoder, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
    device = state.length.device
    return model(tokens.to(device), state, None if valid is None else valid.to(device))


def _finished(
    token: int, count: int, config: SamplingConfig, stop_ids: frozenset[int], full: bool
) -> Literal["stop", "length", "context"] | None:
    if token in stop_ids:
        return "stop"
    if count >= config.max_tokens:
        return "length"
    return "context" if full else None
