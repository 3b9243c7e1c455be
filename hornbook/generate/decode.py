"""The token loop: prompts in chunks, then one token at a time, each row for itself.

What a row gives does not depend on the rows beside it. Knows ids; knows nothing of text.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from hornbook.generate.sampling import Constraint, SamplingConfig, choose
from hornbook.generate.scheduler import Finish, check_prompt, finish_reason
from hornbook.nn.contract import State

PROMPT_CHUNK = 512
"""Tokens of a prompt taken at once: large enough to be fast, small enough for memory."""


class Decoder(Protocol):
    """What generation sees of a model."""

    def __call__(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor: ...

    def new_state(self, rows: int, room: int | None = None) -> State: ...

    def go_on(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """What `head` reads, (B, T, D): of a prompt the logits of one token are enough."""

    def head(self, x: Tensor) -> Tensor:
        """Logits (..., V)."""


class Step(NamedTuple):
    """A new token of a row; finished says why it is the row's last, or None."""

    row: int
    id: int
    finished: Finish | None


def decode(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    config: SamplingConfig,
    stop_ids: frozenset[int],
    constraints: Sequence[Constraint | None] | None = None,
) -> Generator[Step, bool | None, None]:
    """Continue every prompt, yielding tokens as they come, row by row.

    Sending True after a step ends its row, for whoever reads more out of the tokens than ids say.

    A row ends with one of `stop_ids` ("stop"), after max_tokens ("length") or when the context is
    full ("context"). Each row draws with a generator of its own, among what its constraint allows
    where it has one. Raises HornbookError, before any work, for an empty prompt or one that leaves
    no room.
    """
    # No larger than needed: states are copied when a row leaves.
    state = model.new_state(len(prompts), max(map(len, prompts)) + config.max_tokens)
    for prompt in prompts:
        check_prompt(prompt, state.room)
    generators = [torch.Generator().manual_seed(config.seed) for _ in prompts]
    limits = list(constraints) if constraints else [None] * len(prompts)
    counts = [0] * len(prompts)
    rows = list(range(len(prompts)))
    logits = read_prompts(model, prompts, state)
    while rows:
        chosen = [
            choose(logits[i], config, generators[row], _allowed(limits[row]))
            for i, row in enumerate(rows)
        ]
        going: list[int] = []
        for i, row in enumerate(rows):
            counts[row] += 1
            full = len(prompts[row]) + counts[row] >= state.room
            finished = finish_reason(chosen[i], counts[row], config.max_tokens, stop_ids, full)
            ended = yield Step(row, chosen[i], finished)
            if not (finished or ended):
                going.append(i)
                if (limit := limits[row]) is not None:
                    limit.advance(chosen[i])
        if not going:
            return
        if len(going) < len(rows):
            state = state.take(torch.tensor(going, device=state.length.device))
            rows, chosen = [rows[i] for i in going], [chosen[i] for i in going]
        logits = _forward(model, torch.tensor(chosen)[:, None], state)[:, -1]


@torch.inference_mode()
def read_prompts(model: Decoder, prompts: Sequence[Sequence[int]], state: State) -> Tensor:
    """Take in the prompts, shorter ones padded on the right; logits after each's end (B, V)."""
    longest = max(map(len, prompts))
    tokens = torch.zeros(len(prompts), longest, dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    last: list[Tensor] = [torch.empty(0)] * len(prompts)
    chunk, device = max(1, PROMPT_CHUNK // len(prompts)), state.length.device
    for start in range(0, longest, chunk):
        part = tokens[:, start : start + chunk]
        valid = start + torch.arange(part.shape[1]) < lengths[:, None]
        features = model.go_on(
            part.to(device), state, None if bool(valid.all()) else valid.to(device)
        )
        for row, length in enumerate(lengths.tolist()):
            if start < length <= start + part.shape[1]:
                last[row] = model.head(features[row, length - 1 - start])
    return torch.stack(last)


@torch.inference_mode()
def _forward(model: Decoder, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
    device = state.length.device
    return model(tokens.to(device), state, None if valid is None else valid.to(device))


def _allowed(constraint: Constraint | None) -> Tensor | None:
    return None if constraint is None else constraint.allowed()
