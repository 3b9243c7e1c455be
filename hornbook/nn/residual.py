"""Residual rules: how a layer's output joins the stream. Each is a layer around a layer.

While training, both may drop channels of that output.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor

from hornbook.nn.attention import AttentionConfig
from hornbook.nn.contract import AnyLayer, Cache, Context, Layer, LayerConfig, register
from hornbook.nn.dropout import Dropout
from hornbook.nn.mlp import MLPConfig
from hornbook.nn.norm import LayerNormConfig, NormConfig, RMSNormConfig


@register("pre_norm")
class PreNormConfig(LayerConfig):
    """x + layer(norm(x)) (Xiong et al. 2020). dropout: the share of channels dropped."""

    norm: NormConfig
    layer: AnyLayer
    dropout: float = 0.0

    def build(self, width: int) -> Layer:
        return PreNorm(self, width)

    def parameters(self, width: int) -> int:
        return self.norm.parameters(width) + self.layer.parameters(width)

    def active(self, width: int) -> int:
        return self.norm.parameters(width) + self.layer.active(width)

    def mixing(self, context: int) -> int:
        return self.layer.mixing(context)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        attention = AttentionConfig(heads=2, kv_heads=2, head=8)
        return (
            cls(norm=RMSNormConfig(), layer=attention),
            cls(norm=LayerNormConfig(), layer=MLPConfig(hidden=8)),
        )


class PreNorm(Layer):
    def __init__(self, config: PreNormConfig, width: int) -> None:
        super().__init__()
        self.norm = config.norm.build(width)
        self.layer = config.layer.build(width)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        y: Tensor = x + self.dropout(self.layer(self.norm(x), ctx, cache))
        return y

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        return self.layer.new_cache(rows, capacity, like)

    def remember(self, memory: Tensor, memory_valid: Tensor, cache: Cache) -> None:
        self.layer.remember(memory, memory_valid, cache)

    def positional(self) -> frozenset[str]:
        return self.layer.positional()


@register("post_norm")
class PostNormConfig(LayerConfig):
    """norm(x + layer(x)), the rule of the first Transformer (Vaswani et al. 2017).

    dropout: the share of channels dropped.
    """

    norm: NormConfig
    layer: AnyLayer
    dropout: float = 0.0

    def build(self, width: int) -> Layer:
        return PostNorm(self, width)

    def parameters(self, width: int) -> int:
        return self.norm.parameters(width) + self.layer.parameters(width)

    def active(self, width: int) -> int:
        return self.norm.parameters(width) + self.layer.active(width)

    def mixing(self, context: int) -> int:
        return self.layer.mixing(context)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (cls(norm=LayerNormConfig(), layer=AttentionConfig(heads=2, kv_heads=2, head=8)),)


class PostNorm(Layer):
    def __init__(self, config: PostNormConfig, width: int) -> None:
        super().__init__()
        self.layer = config.layer.build(width)
        self.norm = config.norm.build(width)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        y: Tensor = self.norm(x + self.dropout(self.layer(x, ctx, cache)))
        return y

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        return self.layer.new_cache(rows, capacity, like)

    def remember(self, memory: Tensor, memory_valid: Tensor, cache: Cache) -> None:
        self.layer.remember(memory, memory_valid, cache)

    def positional(self) -> frozenset[str]:
        return self.layer.positional()
