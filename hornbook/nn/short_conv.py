"""The gated short convolution of LFM2 (Liquid AI 2025): a mixer that sees a few tokens back.

Parameters as `transformers` holds them in Lfm2ShortConv, shapes and rows in the same order:
input = in_proj, conv = conv, output = out_proj.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

import pydantic
from torch import Tensor, nn

from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, register
from hornbook.nn.convolution import CausalConvolution


@register("short_conv")
class ShortConvConfig(LayerConfig):
    """kernel: how many tokens are seen, the newest included. bias: in all three parts."""

    one_way: ClassVar[bool] = True

    kernel: int = pydantic.Field(default=3, ge=1)
    bias: bool = False

    def build(self, width: int) -> Layer:
        return ShortConv(self, width)

    def parameters(self, width: int) -> int:
        return width * (4 * width + self.kernel) + self.bias * 5 * width

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (cls(), cls(kernel=4, bias=True), cls(kernel=1))


class ShortConv(Layer):
    """output(after * conv(before * x)), where before, after and x are projections of the input."""

    begins_with_products = True

    def __init__(self, config: ShortConvConfig, width: int) -> None:
        super().__init__()
        self.input = nn.Linear(width, 3 * width, bias=config.bias)
        self.conv = CausalConvolution(width, config.kernel, config.bias)
        self.output = nn.Linear(width, width, bias=config.bias)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        assert ctx.mask.causal, "this convolution looks back only"
        before, after, x = self.input(x).chunk(3, dim=-1)
        past = cache["conv"] if cache is not None else None
        y: Tensor = self.output(after * self.conv(before * x, ctx.mask, past))
        return y

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        return {"conv": self.conv.new_past(rows, like)}
