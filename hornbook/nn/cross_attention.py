"""Layers that look at a memory, what an encoder made of another sequence.

Cross-attention looks at all of it (Vaswani et al. 2017); the summary sees one vector of it, as the
recurrent encoder-decoder did before attention (Cho et al. 2014).
"""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from hornbook.nn.attend import DotProductAttention
from hornbook.nn.attention import Bias
from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, register
from hornbook.nn.masks import KernelMask
from hornbook.nn.pooling import last_real


@register("cross_attention")
class CrossAttentionConfig(LayerConfig):
    """heads of `head` channels each; the memory is as wide as the stream.

    scale: of the scores, 1 / sqrt(head) if None.
    """

    heads: int
    head: int
    bias: Bias = Bias()
    scale: float | None = None

    def build(self, width: int) -> Layer:
        return CrossAttention(self, width)

    def parameters(self, width: int) -> int:
        inner = self.heads * self.head
        return 4 * width * inner + self.bias.inputs * 3 * inner + self.bias.output * width

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (
            cls(heads=2, head=8, scale=1.0),
            cls(heads=4, head=4, bias=Bias(inputs=True, output=True)),
        )


class CrossAttention(Layer):
    """softmax(Q K^T / sqrt(C)) V with keys and values from the memory."""

    def __init__(self, config: CrossAttentionConfig, width: int) -> None:
        super().__init__()
        self.config = config
        inner = config.heads * config.head
        self.query = nn.Linear(width, inner, bias=config.bias.inputs)
        self.key = nn.Linear(width, inner, bias=config.bias.inputs)
        self.value = nn.Linear(width, inner, bias=config.bias.inputs)
        self.output = nn.Linear(inner, width, bias=config.bias.output)
        self.attend = DotProductAttention(config.scale)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        if cache is None:
            cache = {}
            memory, valid = memory_of(ctx)
            self.remember(memory, valid, cache)
        q = self._heads(self.query(x))  # (B, H, T, C)
        seen = cache["valid"][:, None, None]  # (B, 1, 1, S)
        mask = KernelMask(attn_mask=seen, is_causal=False)
        y = self.attend(q, cache["key"], cache["value"], mask)
        out: Tensor = self.output(y.transpose(1, 2).flatten(2))
        return out

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        empty = like.new_zeros(rows, self.config.heads, 0, self.config.head)
        valid = torch.zeros(rows, 0, dtype=torch.bool, device=like.device)
        return {"key": empty, "value": empty, "valid": valid}

    def remember(self, memory: Tensor, memory_valid: Tensor, cache: Cache) -> None:
        cache["key"] = self._heads(self.key(memory))  # (B, H, S, C)
        cache["value"] = self._heads(self.value(memory))
        cache["valid"] = memory_valid.clone()  # rows of caches are overwritten one by one

    def _heads(self, x: Tensor) -> Tensor:
        """(B, T, H*C) -> (B, H, T, C)"""
        y: Tensor = x.unflatten(-1, (-1, self.config.head)).transpose(1, 2)
        return y


@register("summary")
class SummaryConfig(LayerConfig):
    """output(last valid vector of the memory), the same at every position."""

    def build(self, width: int) -> Layer:
        return Summary(width)

    def parameters(self, width: int) -> int:
        return width * width

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (cls(),)


class Summary(Layer):
    """The context vector c of Cho et al. 2014: all that a decoder knows of the source."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        if cache is None:
            cache = {}
            memory, valid = memory_of(ctx)
            self.remember(memory, valid, cache)
        return cache["summary"][:, None].expand_as(x)

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        return {"summary": like.new_zeros(rows, self.output.out_features)}

    def remember(self, memory: Tensor, memory_valid: Tensor, cache: Cache) -> None:
        cache["summary"] = self.output(last_real(memory, memory_valid))


def memory_of(ctx: Context) -> tuple[Tensor, Tensor]:
    """The memory (B, S, D) and which of it is valid (B, S) bool."""
    assert ctx.memory is not None, "this layer looks at a memory, and there is none"
    valid = ctx.memory_valid
    if valid is None:
        valid = torch.ones(ctx.memory.shape[:2], dtype=torch.bool, device=ctx.memory.device)
    return ctx.memory, valid
