"""Layers that mix channels: the two-matrix MLP and the gated one. Positions do not meet here."""

from collections.abc import Callable, Sequence
from typing import Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, register
from hornbook.nn.norm_kernel import gated, gates_fit

Activation = Literal["gelu", "gelu_tanh", "relu", "relu_squared", "silu", "tanh"]


def activation(name: Activation) -> Callable[[Tensor], Tensor]:
    """The function of a name."""
    return {
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "relu": F.relu,
        "relu_squared": lambda x: F.relu(x).square(),
        "silu": F.silu,
        "tanh": F.tanh,
    }[name]


@register("mlp")
class MLPConfig(LayerConfig):
    """out(activation(in(x))) with `hidden` channels between."""

    hidden: int
    activation: Activation = "gelu"
    bias: bool = True

    def build(self, width: int) -> Layer:
        return MLP(self, width)

    def parameters(self, width: int) -> int:
        return 2 * width * self.hidden + self.bias * (width + self.hidden)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (cls(hidden=24), cls(hidden=8, activation="relu_squared", bias=False))


class MLP(Layer):
    """The position-wise network of Vaswani et al. 2017, eq. 2, with a chosen activation."""

    begins_with_products = True

    def __init__(self, config: MLPConfig, width: int) -> None:
        super().__init__()
        self.activation = activation(config.activation)
        self.up = nn.Linear(width, config.hidden, bias=config.bias)
        self.down = nn.Linear(config.hidden, width, bias=config.bias)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        y: Tensor = self.down(self.activation(self.up(x)))
        return y

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        return {}


@register("gated_mlp")
class GatedMLPConfig(LayerConfig):
    """down(activation(gate(x)) * up(x)) with `hidden` channels between (Shazeer 2020, eq. 6)."""

    hidden: int
    activation: Activation = "silu"

    def build(self, width: int) -> Layer:
        return GatedMLP(self, width)

    def parameters(self, width: int) -> int:
        return 3 * width * self.hidden

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (cls(hidden=24),)


class GatedMLP(Layer):
    """SwiGLU with activation silu."""

    begins_with_products = True

    def __init__(self, config: GatedMLPConfig, width: int) -> None:
        super().__init__()
        self.kind, self.activation = config.activation, activation(config.activation)
        self.gate = nn.Linear(width, config.hidden, bias=False)
        self.up = nn.Linear(width, config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, width, bias=False)

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        gate, up = self.gate(x), self.up(x)
        fused = self.kind == "silu" and gates_fit(gate, up)
        y: Tensor = self.down(gated(gate, up) if fused else self.activation(gate) * up)
        return y

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        return {}
