"""Normalisation over the last dimension: RMSNorm and LayerNorm, by their own small configs."""

from typing import Literal

from torch import nn

from hornbook.core.config import Config


class RMSNormConfig(Config):
    """x / rms(x) * weight (Zhang & Sennrich 2019, eq. 4)."""

    kind: Literal["rms"] = "rms"
    epsilon: float = 1e-6

    def build(self, width: int) -> nn.Module:
        return nn.RMSNorm(width, eps=self.epsilon)

    def parameters(self, width: int) -> int:
        return width


class LayerNormConfig(Config):
    """(x - mean) / std * weight + bias (Ba et al. 2016)."""

    kind: Literal["layer"] = "layer"
    epsilon: float = 1e-5

    def build(self, width: int) -> nn.Module:
        return nn.LayerNorm(width, eps=self.epsilon)

    def parameters(self, width: int) -> int:
        return 2 * width


NormConfig = RMSNormConfig | LayerNormConfig
