"""Images to vectors: squares of pixels, each one vector, behind one more that stands for all."""

from typing import Self

import pydantic
import torch
from torch import Tensor, nn

from hornbook.core.config import Config


class PatchesConfig(Config):
    """Square images of `size` pixels a side and `channels` colours, in squares of `patch` pixels.

    The "class token" comes first, and every place has a learned position (Dosovitskiy et al. 2021,
    eq. 1).
    """

    size: int
    patch: int
    channels: int

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if self.size % self.patch:
            raise ValueError(f"patch = {self.patch} does not divide size = {self.size}")
        return self

    @property
    def tokens(self) -> int:
        """Vectors an image becomes, the class token included."""
        return (self.size // self.patch) ** 2 + 1

    def build(self, width: int) -> "Patches":
        return Patches(self, width)

    def parameters(self, width: int) -> int:
        pixels = self.channels * self.patch**2
        return width * (pixels + 1) + width * (1 + self.tokens)


class Patches(nn.Module):
    """images (B, channels, size, size) -> (B, T, D)"""

    def __init__(self, config: PatchesConfig, width: int) -> None:
        super().__init__()
        self.config = config
        patch = config.patch
        self.projection = nn.Conv2d(config.channels, width, patch, stride=patch)
        self.first = nn.Parameter(torch.empty(1, 1, width))
        self.position = nn.Parameter(torch.empty(1, config.tokens, width))

    def forward(self, images: Tensor) -> Tensor:
        x = self.projection(images).flatten(2).transpose(1, 2)  # (B, T - 1, D)
        first = self.first.to(x.dtype).expand(len(x), -1, -1)
        return torch.cat([first, x], dim=1) + self.position
