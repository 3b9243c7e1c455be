"""The masked-word family: an encoder and BERT's head (Devlin et al. 2019). It fills in words."""

from collections.abc import Mapping

from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.models.encoder import INITIAL, whole
from hornbook.models.model import Model, ModelConfig
from hornbook.nn.contract import Context
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.initialise import initialise
from hornbook.nn.mlp import Activation, activation
from hornbook.nn.norm import NormConfig
from hornbook.nn.pooling import DenseFirstConfig, PoolingConfig
from hornbook.nn.stack import StackConfig


class TransformConfig(Config):
    """norm(activation(W x + b)), what BERT's head does before it compares with token vectors."""

    activation: Activation
    norm: NormConfig
    bias: bool = True

    def build(self, width: int) -> "Transform":
        return Transform(self, width)

    def parameters(self, width: int) -> int:
        return width * (width + self.bias) + self.norm.parameters(width)


class Transform(nn.Module):
    """(..., D) -> (..., D)"""

    def __init__(self, config: TransformConfig, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width, bias=config.bias)
        self.activation = activation(config.activation)
        self.norm = config.norm.build(width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.activation(self.dense(x)))
        return y


class MaskedLMConfig(ModelConfig):
    """An encoder whose head is the token embedding transposed, with a bias of its own.

    pooling: what a classifier made of it has, as its family's do.
    """

    vocab: int
    embedding: EmbeddingConfig
    stack: StackConfig
    transform: TransformConfig
    pooling: PoolingConfig = DenseFirstConfig()

    def empty(self) -> "MaskedLM":
        return MaskedLM(self)

    def parameters(self) -> int:
        return (
            self.embedding.parameters(self.vocab, self.width)
            + self.stack.parameters(self.width)
            + self.transform.parameters(self.width)
            + self.vocab
        )

    def stacks(self) -> Mapping[str, StackConfig]:
        return {"stack": self.stack}


class MaskedLM(Model):
    """tokens (B, T) -> logits (B, T, V) of the token at each place"""

    config: MaskedLMConfig

    def __init__(self, config: MaskedLMConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = config.embedding.build(config.vocab, config.width)
        self.stack = config.stack.build(config.width)
        self.transform = config.transform.build(config.width)
        self.head = nn.Linear(config.width, config.vocab)
        self.tie()

    def reset(self, seed: int) -> None:
        initialise(self, INITIAL, seed)

    def tie(self) -> None:
        self.head.weight = self.embedding.token.weight

    def forward(
        self, tokens: Tensor, valid: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """tokens (B, T) int64; valid (B, T) bool, True = real; types (B, T) int64, None: all 0."""
        ctx = whole(tokens.shape[1], tokens.device, valid)
        logits: Tensor = self.head(self.transform(self.features(tokens, ctx, types)))
        return logits

    def features(self, tokens: Tensor, ctx: Context, types: Tensor | None = None) -> Tensor:
        """What the transform and the head read, (B, T, D), for whole sequences."""
        y: Tensor = self.stack(self.embedding(tokens, ctx.pos, types), ctx)
        return y
