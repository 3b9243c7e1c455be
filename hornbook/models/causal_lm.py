"""The decoder family: embed, stack, head. It continues text."""

from collections.abc import Mapping

import torch
from torch import Tensor

from hornbook.models.model import Model, ModelConfig
from hornbook.models.sequences import StateSequences
from hornbook.nn.contract import Cache, Context, Mask, State
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.head import head
from hornbook.nn.initialise import (
    Initialiser,
    constant,
    fan_in,
    forget_bias,
    initialise,
    log_uniform,
    normal,
    softplus_log_uniform,
)
from hornbook.nn.stack import StackConfig


class CausalLMConfig(ModelConfig):
    """A decoder. tied: the head is the token embedding transposed.

    multiplier: of the logits. cap: logits l become cap tanh(l / cap) (Gemma 2 report, 2024).
    """

    vocab: int
    embedding: EmbeddingConfig
    stack: StackConfig
    tied: bool
    multiplier: float = 1.0
    cap: float | None = None

    def empty(self) -> "CausalLM":
        return CausalLM(self)

    def parameters(self) -> int:
        head = 0 if self.tied else self.vocab * self.width
        return (
            self.embedding.parameters(self.vocab, self.width)
            + self.stack.parameters(self.width)
            + head
        )

    def stacks(self) -> Mapping[str, StackConfig]:
        return {"stack": self.stack}


INITIAL: tuple[tuple[str, Initialiser], ...] = (
    # Layers begin as the identity: nothing is added to the stream until it has been learned.
    ("*.after_norm.weight", constant(0.0)),
    ("*.after_norm.excess", constant(-1.0)),
    ("*norm.weight", constant(1.0)),
    ("*norm.excess", constant(0.0)),
    ("*.decay_log", log_uniform(1.0, 16.0)),
    ("*.step_bias", softplus_log_uniform(1e-3, 0.1)),
    ("*.skip", constant(1.0)),
    ("*.gates.bias", forget_bias()),
    ("*.bias", constant(0.0)),
    ("stack.*.normed.output.weight", fan_in()),
    ("stack.*.normed.down.weight", fan_in()),
    ("stack.*.output.weight", constant(0.0)),
    ("stack.*.down.weight", constant(0.0)),
    ("stack.*.weight", fan_in()),
    ("stack.*.router", fan_in()),
    ("embedding.*", normal(0.02)),
    ("head.weight", normal(0.02)),
)


class CausalLM(Model):
    """tokens (B, T) -> logits (B, T, V)"""

    config: CausalLMConfig

    def __init__(self, config: CausalLMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = config.embedding.build(config.vocab, config.width)
        self.stack = config.stack.build(config.width)
        self.head = head(config.width, config.vocab, config.cap)
        self.tie()

    @property
    def vocab(self) -> int:
        """Ids that there are logits for."""
        return self.config.vocab

    @property
    def context(self) -> int:
        """The most tokens of a sequence."""
        return self.config.context

    def reset(self, seed: int) -> None:
        initialise(self, INITIAL, seed)

    def tie(self) -> None:
        if self.config.tied:
            self.head.weight = self.embedding.token.weight

    def forward(
        self, tokens: Tensor, state: State | None = None, valid: Tensor | None = None
    ) -> Tensor:
        """Logits of the token after each of `tokens`.

        tokens: (B, T) int64. With a `state` the rows continue from it and its clock moves by the
        number of valid tokens. valid: (B, T) bool, True = real; with a state, padding is on the
        right. Raises HornbookError when a row would outgrow the state's capacity.
        """
        time = tokens.shape[1]
        if state is None:
            pos = torch.arange(time, device=tokens.device)[None]
            x = self.features(tokens, Context(pos, Mask(causal=True, valid=valid)))
        else:
            x = self.go_on(tokens, state, valid)
        logits: Tensor = self.head(x)
        return logits

    def go_on(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """What the head reads, (B, T, D), of rows that continue from a state, as in `forward`."""
        time = tokens.shape[1]
        ctx = state.context(time, valid)
        x = self._through(tokens, ctx, state.caches)
        state.advance(time if valid is None else valid.sum(1))
        return x

    def features(self, tokens: Tensor, ctx: Context) -> Tensor:
        """What the head reads, (B, T, D), for whole sequences."""
        return self._through(tokens, ctx)

    def _through(self, tokens: Tensor, ctx: Context, caches: list[Cache] | None = None) -> Tensor:
        y: Tensor = self.stack(self.embedding(tokens, ctx.pos), ctx, caches)
        return y if self.config.multiplier == 1 else y * self.config.multiplier

    def sequences(self, rows: int, capacity: int | None = None) -> StateSequences:
        """Empty sequences of at most `capacity` tokens (None: the context), for generation."""
        return StateSequences(self, self.new_state(rows, capacity))

    def new_state(
        self, rows: int, capacity: int | None = None, dtype: torch.dtype | None = None
    ) -> State:
        """An empty state for `rows` sequences of at most `capacity` tokens (None: the context).

        dtype: of what is remembered, the weights' if None.
        """
        like = next(self.stack.parameters()).new_empty(0, dtype=dtype)
        capacity = self.config.context if capacity is None else min(capacity, self.config.context)
        length = torch.zeros(rows, dtype=torch.int64, device=like.device)
        caches = self.stack.new_caches(rows, capacity, like.detach())
        return State(length, capacity, caches, positional=self.stack.positional())
