"""The encoder family: embed and stack, every position seeing all others. It represents text."""

from collections.abc import Mapping

import torch
from torch import Tensor

from hornbook.models.model import Model, ModelConfig
from hornbook.nn.contract import Context, Mask
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.initialise import Initialiser, constant, fan_in, initialise, normal
from hornbook.nn.pooling import DenseFirstConfig, PoolingConfig
from hornbook.nn.stack import StackConfig


class EncoderConfig(ModelConfig):
    """An encoder without a head. pooling: what a classifier made of it has."""

    vocab: int
    embedding: EmbeddingConfig
    stack: StackConfig
    pooling: PoolingConfig = DenseFirstConfig()

    def empty(self) -> "EncoderNetwork":
        return EncoderNetwork(self)

    def parameters(self) -> int:
        embedding = self.embedding.parameters(self.vocab, self.width)
        return embedding + self.stack.parameters(self.width)

    def stacks(self) -> Mapping[str, StackConfig]:
        return {"stack": self.stack}


INITIAL: tuple[tuple[str, Initialiser], ...] = (
    ("*norm.weight", constant(1.0)),
    ("*.bias", constant(0.0)),
    # What a post-norm layer adds is normalised together with the stream, so there is no identity to
    # begin as. BERT's 0.02 is 0.55 of fan-in at its width of 768; the same share at other widths
    # learns faster there than 0.02 does.
    ("embedding.*", normal(0.02)),
    ("stack.*.weight", fan_in(0.55)),
    ("transform.*.weight", fan_in(0.55)),
    ("pooling.*.weight", fan_in(0.55)),
    ("head.weight", normal(0.02)),
)
"""For all families with a post-norm stack that is read as a whole."""


class EncoderNetwork(Model):
    """tokens (B, T) -> features (B, T, D)"""

    config: EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = config.embedding.build(config.vocab, config.width)
        self.stack = config.stack.build(config.width)

    def reset(self, seed: int) -> None:
        initialise(self, INITIAL, seed)

    def tie(self) -> None:
        """Nothing is tied."""

    def forward(
        self, tokens: Tensor, valid: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """tokens (B, T) int64; valid (B, T) bool, True = real; types (B, T) int64, None: all 0."""
        ctx = whole(tokens.shape[1], tokens.device, valid)
        y: Tensor = self.stack(self.embedding(tokens, ctx.pos, types), ctx)
        return y


def whole(
    time: int, device: torch.device, valid: Tensor | None = None, causal: bool = False
) -> Context:
    """The context of whole sequences of `time` tokens, positions counted from 0."""
    pos = torch.arange(time, device=device)[None]
    return Context(pos, Mask(causal=causal, valid=valid), shared={})
