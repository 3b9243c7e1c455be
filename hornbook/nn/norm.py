"""Normalisation over the last dimension: RMSNorm and LayerNorm, by their own small configs."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.nn.norm_kernel import normed_and_turned, turns


class RMSNormConfig(Config):
    """x / rms(x) * weight (Zhang & Sennrich 2019, eq. 4).

    centred: what is learned is how far the weight is from 1, as in Gemma and Qwen3.5.
    """

    kind: Literal["rms"] = "rms"
    epsilon: float = 1e-6
    centred: bool = False

    def build(self, width: int) -> nn.Module:
        return (CentredRMSNorm if self.centred else RMSNorm)(width, self.epsilon)

    def parameters(self, width: int) -> int:
        return width


class RMSNorm(nn.Module):
    """Computed in float32 whatever comes in: squares overflow and lose digits in short floats.

    for_products: whether products alone read what comes out, so that it may be of their type.
    """

    for_products = False

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        gain = self.gain()
        if self.for_products and turns(x):
            rows = x.reshape(1, 1, -1, x.shape[-1])
            return normed_and_turned(rows, gain, self.epsilon).view(x.shape)
        return F.rms_norm(x.float(), gain.shape, gain, self.epsilon).to(x.dtype)

    def gain(self) -> Tensor:
        """What each channel is multiplied by, float32."""
        return self.weight.float()


class CentredRMSNorm(RMSNorm):
    """x / rms(x) * (1 + excess)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__(width, epsilon)
        del self.weight
        self.excess = nn.Parameter(torch.zeros(width))

    def gain(self) -> Tensor:
        return 1.0 + self.excess.float()


class LayerNormConfig(Config):
    """(x - mean) / std * weight + bias (Ba et al. 2016), or without the bias."""

    kind: Literal["layer"] = "layer"
    epsilon: float = 1e-5
    bias: bool = True

    def build(self, width: int) -> nn.Module:
        return nn.LayerNorm(width, eps=self.epsilon, bias=self.bias)

    def parameters(self, width: int) -> int:
        return (1 + self.bias) * width


class NoNormConfig(Config):
    """x, where others normalise: the first block of a model whose embedding is normed already."""

    kind: Literal["none"] = "none"

    def build(self, width: int) -> nn.Module:
        return nn.Identity()

    def parameters(self, width: int) -> int:
        return 0


NormConfig = RMSNormConfig | LayerNormConfig | NoNormConfig
