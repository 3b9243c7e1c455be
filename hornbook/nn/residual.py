"""Residual rules: how a layer's output joins the stream. Each is a layer around a layer.

While training, all may drop channels of that output.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from hornbook.nn.attention import AttentionConfig
from hornbook.nn.contract import AnyLayer, Cache, Context, Layer, LayerConfig, register
from hornbook.nn.dropout import Dropout
from hornbook.nn.mlp import MLPConfig
from hornbook.nn.norm import LayerNormConfig, NormConfig, RMSNorm, RMSNormConfig


class ResidualConfig(LayerConfig):
    """layer: whose output joins the stream. dropout: the share of its channels dropped."""

    layer: AnyLayer
    dropout: float = 0.0

    def norms(self) -> list[NormConfig]:
        """Those around the layer."""
        raise NotImplementedError

    def parameters(self, width: int) -> int:
        return sum(n.parameters(width) for n in self.norms()) + self.layer.parameters(width)

    def active(self, width: int) -> int:
        return sum(n.parameters(width) for n in self.norms()) + self.layer.active(width)

    def mixing(self, context: int) -> int:
        return self.layer.mixing(context)


class Residual(Layer):
    """What it remembers is what its layer does."""

    layer: Layer

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        return self.layer.new_cache(rows, capacity, like)

    def remember(self, memory: Tensor, memory_valid: Tensor, cache: Cache) -> None:
        self.layer.remember(memory, memory_valid, cache)

    def positional(self) -> frozenset[str]:
        return self.layer.positional()


@register("pre_norm")
class PreNormConfig(ResidualConfig):
    """x + multiplier * layer(norm(x)) (Xiong et al. 2020; the multiplier: Granite, 2024)."""

    norm: NormConfig
    multiplier: float = 1.0

    def build(self, width: int) -> Layer:
        return PreNorm(self, width)

    def norms(self) -> list[NormConfig]:
        return [self.norm]

    @classmethod
    def examples(cls) -> Sequence[Self]:
        attention = AttentionConfig(heads=2, kv_heads=2, head=8)
        return (
            cls(norm=RMSNormConfig(), layer=attention),
            cls(norm=LayerNormConfig(), layer=MLPConfig(hidden=8), multiplier=0.5),
        )


class PreNorm(Residual):
    def __init__(self, config: PreNormConfig, width: int) -> None:
        super().__init__()
        self.norm = config.norm.build(width)
        self.layer = config.layer.build(width)
        if isinstance(self.norm, RMSNorm):
            self.norm.for_products = self.layer.begins_with_products
        self.dropout = Dropout(config.dropout)
        self.multiplier = config.multiplier

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        added = self.dropout(self.layer(self.norm(x), ctx, cache))
        y: Tensor = x + (added if self.multiplier == 1 else added * self.multiplier)
        return y


@register("post_norm")
class PostNormConfig(ResidualConfig):
    """norm(x + layer(x)), the rule of the first Transformer (Vaswani et al. 2017)."""

    norm: NormConfig

    def build(self, width: int) -> Layer:
        return PostNorm(self, width)

    def norms(self) -> list[NormConfig]:
        return [self.norm]

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (cls(norm=LayerNormConfig(), layer=AttentionConfig(heads=2, kv_heads=2, head=8)),)


class PostNorm(Residual):
    def __init__(self, config: PostNormConfig, width: int) -> None:
        super().__init__()
        self.layer = config.layer.build(width)
        self.norm = config.norm.build(width)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        y: Tensor = self.norm(x + self.dropout(self.layer(x, ctx, cache)))
        return y


@register("inner_norm")
class InnerNormConfig(ResidualConfig):
    """x + after(layer(before(x))): what is added is normed (OLMo 2 report, 2025, 3.2).

    before: of what the layer reads, as in Gemma 2 and 3, or None.
    """

    before: NormConfig | None
    after: NormConfig

    def build(self, width: int) -> Layer:
        return InnerNorm(self, width)

    def norms(self) -> list[NormConfig]:
        return [self.after, *([self.before] if self.before else [])]

    @classmethod
    def examples(cls) -> Sequence[Self]:
        norm, attention = RMSNormConfig(), AttentionConfig(heads=2, kv_heads=2, head=8)
        return (
            cls(before=norm, after=RMSNormConfig(centred=True), layer=attention),
            cls(before=None, after=norm, layer=MLPConfig(hidden=8)),
        )


class InnerNorm(Residual):
    """Its layer is called `normed`: of one whose output is normed the norm begins at 0, not it."""

    def __init__(self, config: InnerNormConfig, width: int) -> None:
        super().__init__()
        self.norm = config.before.build(width) if config.before else nn.Identity()
        self.normed = config.layer.build(width)
        self.after_norm = config.after.build(width)
        self.dropout = Dropout(config.dropout)

    @property
    def layer(self) -> Layer:  # type: ignore[override]
        return self.normed

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        added = self.after_norm(self.normed(self.norm(x), ctx, cache))
        y: Tensor = x + self.dropout(added)
        return y
