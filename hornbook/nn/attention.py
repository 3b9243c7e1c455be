"""Multi-head self-attention (Vaswani et al. 2017) with grouped keys and values.

Rotary positions and the normalisation of queries and keys are parts that may be absent.
"""

from collections.abc import Sequence
from typing import Self

import pydantic
from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.nn.attend import attend
from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, register
from hornbook.nn.masks import cached_attention_mask, self_attention_mask
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.rotary import RotaryConfig, angles, rotate


class Bias(Config):
    """Which projections add a bias."""

    inputs: bool = False
    output: bool = False


@register("attention")
class AttentionConfig(LayerConfig):
    """heads query heads share kv_heads key/value heads (Ainslie et al. 2023) of `head` channels.

    gated: what each head says is scaled by the sigmoid of a projection of its own (Qiu et al. 2025,
    arXiv 2505.06708), whose rows stand below those of the head's query.
    """

    heads: int
    kv_heads: int
    head: int
    rotary: RotaryConfig | None = None
    qk_norm: RMSNormConfig | None = None
    bias: Bias = Bias()
    gated: bool = False

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads = {self.kv_heads} does not divide heads = {self.heads}")
        if self.rotary and self.head % 2:
            raise ValueError(f"rotary positions need an even head, not {self.head}")
        return self

    @property
    def queries(self) -> int:
        """Heads of the query projection, those of the gate among them."""
        return self.heads * (1 + self.gated)

    def build(self, width: int) -> Layer:
        return Attention(self, width)

    def parameters(self, width: int) -> int:
        queries, keys = self.queries * self.head, self.kv_heads * self.head
        weights = width * (queries + 2 * keys + self.heads * self.head)
        biases = self.bias.inputs * (queries + 2 * keys) + self.bias.output * width
        norms = 2 * self.qk_norm.parameters(self.head) if self.qk_norm else 0
        return weights + biases + norms

    def mixing(self, context: int) -> int:
        # Scores and values, causal: half of the keys on average.
        return self.heads * self.head * context

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (
            cls(heads=4, kv_heads=4, head=4),
            cls(heads=4, kv_heads=2, head=8, rotary=RotaryConfig(), qk_norm=RMSNormConfig()),
            cls(heads=2, kv_heads=1, head=6, bias=Bias(inputs=True, output=True)),
            cls(
                heads=4,
                kv_heads=2,
                head=8,
                rotary=RotaryConfig(channels=4),
                qk_norm=RMSNormConfig(centred=True),
                gated=True,
            ),
        )


class Attention(Layer):
    """softmax(Q K^T / sqrt(C)) V, eq. 1 of Vaswani et al. 2017."""

    def __init__(self, config: AttentionConfig, width: int) -> None:
        super().__init__()
        self.config = config
        inner, keys = config.heads * config.head, config.kv_heads * config.head
        self.query = nn.Linear(width, config.queries * config.head, bias=config.bias.inputs)
        self.key = nn.Linear(width, keys, bias=config.bias.inputs)
        self.value = nn.Linear(width, keys, bias=config.bias.inputs)
        self.output = nn.Linear(inner, width, bias=config.bias.output)
        norm = config.qk_norm
        self.query_norm = norm.build(config.head) if norm else nn.Identity()
        self.key_norm = norm.build(config.head) if norm else nn.Identity()

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        q, k, v = map(self._heads, self.project(x))  # (B, H, T, C), twice (B, H_kv, T, C)
        if self.config.gated:
            q, gate = q.unflatten(1, (-1, 2)).unbind(2)
        q, k = self.query_norm(q), self.key_norm(k)
        if self.config.rotary is not None:
            theta, half = self.config.rotary.theta, self.config.rotary.pairs(self.config.head)
            cos_sin = ctx.once(
                ("rotary", theta, half), lambda: angles(ctx.pos, half, theta, q.dtype)
            )
            q, k = rotate(q, *cos_sin), rotate(k, *cos_sin)
        if cache is None:
            mask = self_attention_mask(ctx.mask, x.shape[1])
        else:
            k, v = _remember(cache, k, v, ctx)
            keys = k.shape[2]
            mask = ctx.once(("mask", keys), lambda: cached_attention_mask(ctx.mask, ctx.pos, keys))
        shared = self.config.kv_heads != self.config.heads
        y = attend(q, k, v, enable_gqa=shared, **mask)
        if self.config.gated:
            y = y * gate.sigmoid()
        out: Tensor = self.output(y.transpose(1, 2).flatten(2))
        return out

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and gates (B, T, H*C or 2*H*C), and keys and values (B, T, H_kv*C)."""
        return self.query(x), self.key(x), self.value(x)

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        shape = (rows, self.config.kv_heads, capacity, self.config.head)
        return {"key": like.new_zeros(shape), "value": like.new_zeros(shape)}

    def positional(self) -> frozenset[str]:
        return frozenset({"key", "value"})

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, H*C) -> (B, H, T, C)"""
        y: Tensor = x.unflatten(-1, (-1, self.config.head)).transpose(1, 2)
        return y


def _remember(cache: Cache, k: Tensor, v: Tensor, ctx: Context) -> tuple[Tensor, Tensor]:
    """Write the chunk's keys and values at its positions; return the used part of the cache.

    A cache may be of another type than they are, which costs a copy.
    """
    dtype = k.dtype
    k, v = k.to(cache["key"].dtype), v.to(cache["value"].dtype)
    if len(k) == 1 and ctx.mask.valid is None:  # one row ends where the reach does
        start = ctx.reach - k.shape[2]
        cache["key"][:, :, start : ctx.reach] = k
        cache["value"][:, :, start : ctx.reach] = v
    else:
        at = ctx.pos[:, None, :, None].expand_as(k)
        cache["key"].scatter_(2, at, k)
        cache["value"].scatter_(2, at, v)
    keys, values = cache["key"][:, :, : ctx.reach], cache["value"][:, :, : ctx.reach]
    return keys.to(dtype), values.to(dtype)
