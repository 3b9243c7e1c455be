"""The encoder-decoder family: one stack reads the source, another writes the target."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hornbook.models.model import Model, ModelConfig
from hornbook.nn.contract import Context, Mask, State
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.initialise import Initialiser, constant, fan_in, forget_bias, initialise, normal
from hornbook.nn.stack import StackConfig


class Seq2SeqConfig(ModelConfig):
    """An encoder and a decoder that share their token vectors.

    tied: the head shares them too. bias: the head adds one. shrunk: what the head reads is divided
    by the root of the width.
    bidirectional: tokens of the source see those after them; a recurrence reads one way. start:
    the id that stands before every target.
    """

    vocab: int
    embedding: EmbeddingConfig
    encoder: StackConfig
    decoder: StackConfig
    bidirectional: bool
    start: int
    tied: bool = True
    bias: bool = True
    shrunk: bool = False

    def empty(self) -> "Seq2Seq":
        return Seq2Seq(self)

    def parameters(self) -> int:
        return (
            self.embedding.parameters(self.vocab, self.width)
            + self.encoder.parameters(self.width)
            + self.decoder.parameters(self.width)
            + self.vocab * (self.bias + (0 if self.tied else self.width))
        )

    def stacks(self) -> Mapping[str, StackConfig]:
        return {"encoder": self.encoder, "decoder": self.decoder}


def initial(width: int) -> tuple[tuple[str, Initialiser], ...]:
    """Token vectors have length 1: scaled by the root of the width they are as large as positions,
    and read as a head they give logits around 1."""
    return (
        ("*norm.weight", constant(1.0)),
        ("*.gates.bias", forget_bias()),
        ("*.bias", constant(0.0)),
        ("*.output.weight", constant(0.0)),
        ("*.down.weight", constant(0.0)),
        ("*coder.*.weight", fan_in()),
        ("embedding.*", normal(width**-0.5)),
        ("head.weight", normal(width**-0.5)),
    )


class Memory(NamedTuple):
    """What the encoder made of the source: vectors (B, S, D), valid (B, S) bool."""

    vectors: Tensor
    valid: Tensor


class Seq2Seq(Model):
    """source (B, S), tokens (B, T) -> logits (B, T, V)"""

    config: Seq2SeqConfig

    def __init__(self, config: Seq2SeqConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = config.embedding.build(config.vocab, config.width)
        self.encoder = config.encoder.build(config.width)
        self.decoder = config.decoder.build(config.width)
        self.head = nn.Linear(config.width, config.vocab, bias=config.bias)
        self.tie()

    def reset(self, seed: int) -> None:
        initialise(self, initial(self.config.width), seed)

    def tie(self) -> None:
        if self.config.tied:
            self.head.weight = self.embedding.token.weight

    def encode(self, source: Tensor, valid: Tensor | None = None) -> Memory:
        """Read sources (B, S) int64; valid: (B, S) bool, True = real."""
        if valid is None:
            valid = torch.ones_like(source, dtype=torch.bool)
        ctx = Context(_positions(source), Mask(not self.config.bidirectional, valid), shared={})
        return Memory(self.encoder(self.embedding(source, ctx.pos), ctx), valid)

    def features(self, tokens: Tensor, memory: Memory, valid: Tensor | None = None) -> Tensor:
        """What the head reads, (B, T, D), for whole targets: `start` and all but the last id."""
        mask = Mask(causal=True, valid=valid)
        ctx = Context(
            _positions(tokens), mask, memory=memory.vectors, memory_valid=memory.valid, shared={}
        )
        return self._shrunk(self.decoder(self.embedding(tokens, ctx.pos), ctx))

    def _shrunk(self, x: Tensor) -> Tensor:
        return x * self.config.width**-0.5 if self.config.shrunk else x

    def forward(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """Logits of the token after each of `tokens` (B, T) int64, which continue `state`'s rows.

        valid: (B, T) bool, True = real; padding is on the right. Raises HornbookError when a row
        would outgrow the state's capacity.
        """
        time = tokens.shape[1]
        ctx = state.context(time, valid)
        x = self.decoder(self.embedding(tokens, ctx.pos), ctx, state.caches)
        state.advance(time if valid is None else valid.sum(1))
        logits: Tensor = self.head(self._shrunk(x))
        return logits

    def new_state(
        self, source: Tensor, valid: Tensor | None = None, capacity: int | None = None
    ) -> State:
        """A state that has read the sources and holds no target yet, one row a source.

        capacity: targets of at most so many tokens, `start` included (None: the context).
        """
        memory, rows, like = self.encode(source, valid), len(source), self.head.weight.detach()
        capacity = self.config.context if capacity is None else min(capacity, self.config.context)
        caches = self.decoder.new_caches(rows, capacity, like)
        remembered = self.decoder.remember(memory.vectors, memory.valid, caches)
        length = torch.zeros(rows, dtype=torch.int64, device=like.device)
        return State(length, capacity, caches, remembered, self.decoder.positional())


def _positions(tokens: Tensor) -> Tensor:
    return torch.arange(tokens.shape[1], device=tokens.device)[None]
