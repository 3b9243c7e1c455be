"""Many vectors to one: parts that make one vector of a sequence, for a head that judges the
whole.
"""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.nn.mlp import Activation, activation
from hornbook.nn.norm import NoNormConfig, NormConfig


class FirstConfig(Config):
    """The first vector, that of a token put there for the purpose (Dosovitskiy et al. 2021)."""

    kind: Literal["first"] = "first"

    def build(self, width: int) -> "Pooling":
        return First()

    def parameters(self, width: int) -> int:
        return 0


class Pooling(nn.Module, ABC):
    """x (B, T, D), valid (B, T) bool or None -> (B, D): gathered, then transformed.

    Only the transform has parameters: where nothing before it is trained, what is gathered stays
    the same.
    """

    def forward(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return self.transform(self.gather(x, valid))

    @abstractmethod
    def gather(self, x: Tensor, valid: Tensor | None) -> Tensor:
        """x (B, T, D), valid (B, T) bool or None -> (B, D)"""

    def transform(self, gathered: Tensor) -> Tensor:
        """(B, D) -> (B, D)"""
        return gathered


class First(Pooling):
    def gather(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return x[:, 0]


class DenseFirstConfig(Config):
    """norm(activation(W first + b)); BERT's pooler is tanh(W first + b) (Devlin et al. 2019).

    mean: of all real vectors, not the first.
    """

    kind: Literal["dense_first"] = "dense_first"
    activation: Activation = "tanh"
    bias: bool = True
    norm: NormConfig = NoNormConfig()
    mean: bool = False

    def build(self, width: int) -> "Pooling":
        return DenseFirst(self, width)

    def parameters(self, width: int) -> int:
        return width * (width + self.bias) + self.norm.parameters(width)


class DenseFirst(Pooling):
    def __init__(self, config: DenseFirstConfig, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width, bias=config.bias)
        self.activation = activation(config.activation)
        self.norm = config.norm.build(width)
        self._gathers: Pooling = Mean() if config.mean else First()

    def gather(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return self._gathers.gather(x, valid)

    def transform(self, gathered: Tensor) -> Tensor:
        y: Tensor = self.norm(self.activation(self.dense(gathered)))
        return y


class LastConfig(Config):
    """The last real vector: the only one that has seen all of a causal stack's input."""

    kind: Literal["last"] = "last"

    def build(self, width: int) -> "Pooling":
        return Last()

    def parameters(self, width: int) -> int:
        return 0


class Last(Pooling):
    def gather(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return last_real(x, valid)


def last_real(x: Tensor, valid: Tensor | None) -> Tensor:
    """The last real vector of each row: x (B, T, D), valid (B, T) bool or None -> (B, D)."""
    if valid is None:
        return x[:, -1]
    places = torch.arange(x.shape[1], device=x.device)
    last = torch.where(valid, places, 0).amax(1)
    return x[torch.arange(len(x), device=x.device), last]


class MeanConfig(Config):
    """The mean of the real vectors (Reimers & Gurevych 2019)."""

    kind: Literal["mean"] = "mean"

    def build(self, width: int) -> "Pooling":
        return Mean()

    def parameters(self, width: int) -> int:
        return 0


class Mean(Pooling):
    def gather(self, x: Tensor, valid: Tensor | None) -> Tensor:
        if valid is None:
            return x.mean(1)
        real = valid[..., None].to(x.dtype)
        return (x * real).sum(1) / real.sum(1).clamp(min=1)


PoolingConfig = FirstConfig | DenseFirstConfig | LastConfig | MeanConfig
