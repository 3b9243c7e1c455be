"""Many vectors to one: parts that make one vector of a sequence, for a head that judges the
whole.
"""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from hornbook.core.config import Config


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
    """tanh(W first + b), BERT's pooler (Devlin et al. 2019)."""

    kind: Literal["dense_first"] = "dense_first"

    def build(self, width: int) -> "Pooling":
        return DenseFirst(width)

    def parameters(self, width: int) -> int:
        return width * width + width


class DenseFirst(Pooling):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)

    def gather(self, x: Tensor, valid: Tensor | None) -> Tensor:
        return x[:, 0]

    def transform(self, gathered: Tensor) -> Tensor:
        return torch.tanh(self.dense(gathered))


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
