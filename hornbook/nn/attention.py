"""Multi-head self-attention (Vaswani et al. 2017) with grouped keys and values.

Rotary positions, the normalisation of queries and keys, a window and a cap are parts that may be
absent.
"""

from collections.abc import Sequence
from typing import Self

import pydantic
import torch
from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.nn.attend import DotProductAttention
from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, register
from hornbook.nn.frequencies import LongScaling, RotaryConfig
from hornbook.nn.masks import biased, cached_attention_mask, self_attention_mask
from hornbook.nn.norm import RMSNorm, RMSNormConfig
from hornbook.nn.norm_kernel import normed_and_turned, turns
from hornbook.nn.rotary import RotaryAngles, rotate


class Bias(Config):
    """Which projections add a bias."""

    inputs: bool = False
    output: bool = False


@register("attention")
class AttentionConfig(LayerConfig):
    """heads query heads share kv_heads key/value heads (Ainslie et al. 2023) of `head` channels.

    qk_norm: of each head's queries and keys, or with `qk_norm_whole` of all heads' together (OLMo 2
    report, 2025). window: a token sees those that are fewer than so many away, itself included
    (Beltagy et al. 2020). scale: of the scores, 1 / sqrt(head) if None. cap: scores s become
    cap tanh(s / cap) (Gemma 2 report, 2024). gated: what each head says is scaled by the sigmoid of
    a projection of its own (Qiu et al. 2025, arXiv 2505.06708), whose rows stand below those of the
    head's query.
    """

    heads: int
    kv_heads: int
    head: int
    rotary: RotaryConfig | None = None
    qk_norm: RMSNormConfig | None = None
    bias: Bias = Bias()
    gated: bool = False
    qk_norm_whole: bool = False
    window: int | None = None
    scale: float | None = None
    cap: float | None = None

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads = {self.kv_heads} does not divide heads = {self.heads}")
        if self.rotary and self.rotary.channels is None and self.head % 2:
            raise ValueError(f"rotary positions need an even head, not {self.head}")
        if self.rotary and (self.rotary.channels or 0) > self.head:
            raise ValueError(f"of {self.head} channels {self.rotary.channels} cannot turn")
        if self.window is not None and self.window < 1:
            raise ValueError(f"a window of {self.window} holds no token")
        if self.gated and self.qk_norm_whole:
            raise ValueError("queries with gates among them are normed head by head")
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
        normed = queries + keys if self.qk_norm_whole else 2 * self.head
        return weights + biases + (self.qk_norm.parameters(normed) if self.qk_norm else 0)

    def mixing(self, context: int) -> int:
        # Scores and values of the keys that are seen, causal: half of them on average, or a window.
        seen = min(self.window or context, context)
        return self.heads * self.head * (2 * seen - seen * seen // context)

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
            cls(heads=2, kv_heads=1, head=8, rotary=RotaryConfig(channels=4), window=3, cap=2.0),
            cls(
                heads=2,
                kv_heads=2,
                head=4,
                rotary=RotaryConfig(scaling=LongScaling(short=(1, 2), long=(2, 3), original=99)),
                qk_norm=RMSNormConfig(),
                qk_norm_whole=True,
                window=5,
                scale=0.3,
            ),
        )


class Attention(Layer):
    """softmax(scale Q K^T) V, eq. 1 of Vaswani et al. 2017."""

    begins_with_products = True

    def __init__(self, config: AttentionConfig, width: int) -> None:
        super().__init__()
        self.config = config
        inner, keys = config.heads * config.head, config.kv_heads * config.head
        self.query = nn.Linear(width, config.queries * config.head, bias=config.bias.inputs)
        self.key = nn.Linear(width, keys, bias=config.bias.inputs)
        self.value = nn.Linear(width, keys, bias=config.bias.inputs)
        self.output = nn.Linear(inner, width, bias=config.bias.output)
        norm, whole = config.qk_norm, config.qk_norm_whole
        self.query_norm = norm.build(inner if whole else config.head) if norm else nn.Identity()
        self.key_norm = norm.build(keys if whole else config.head) if norm else nn.Identity()
        self.rotary = RotaryAngles(config.rotary, config.head) if config.rotary else None
        self.attend = DotProductAttention(config.scale, config.cap)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        q, k, v = self.project(x)
        if self.config.qk_norm_whole:
            q, k = self.query_norm(q), self.key_norm(k)
        q, k, v = map(self._heads, (q, k, v))  # (B, H, T, C), twice (B, H_kv, T, C)
        if self.config.gated:
            q, gate = q.unflatten(1, (-1, 2)).unbind(2)
        q, k = self._placed(q, self.query_norm, ctx), self._placed(k, self.key_norm, ctx)
        window = self.config.window
        if cache is None:
            mask = ctx.once(
                ("mask", window),
                lambda: biased(
                    self_attention_mask(ctx.mask, x.shape[1], window, x.device), ctx.bias
                ),
            )
        else:
            k, v = _remember(cache, k, v, ctx)
            keys = k.shape[2]
            mask = ctx.once(
                ("mask", keys, window),
                lambda: biased(cached_attention_mask(ctx.mask, ctx.pos, keys, window), ctx.bias),
            )
        y = self.attend(q, k, v, mask)
        if self.config.gated:
            y = y * gate.sigmoid()
        out: Tensor = self.output(y.transpose(1, 2).flatten(2))
        return out

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and gates (B, T, H*C or 2*H*C), and keys and values (B, T, H_kv*C)."""
        return self.query(x), self.key(x), self.value(x)

    def _placed(self, x: Tensor, norm: nn.Module, ctx: Context) -> Tensor:
        """Queries or keys (B, H, T, C), normed head by head and turned by their positions."""
        whole = self.config.qk_norm_whole
        normed = norm if isinstance(norm, RMSNorm) and not whole else None
        pairs = self.rotary.pairs if self.rotary else 0
        if (normed or pairs) and turns(x, pairs):
            angles = self.rotary(ctx, torch.float32) if self.rotary else None
            gain, epsilon = (normed.gain(), normed.epsilon) if normed else (None, 0.0)
            return normed_and_turned(x, gain, epsilon, angles)
        x = x if whole else norm(x)
        return x if self.rotary is None else rotate(x, *self.rotary(ctx, x.dtype))

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
