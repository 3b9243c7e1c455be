"""Tokens to vectors, with positions, segment types and a normalisation where a family has them.

Rotary models add nothing here; their positions are the attention's business.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from hornbook.core.config import Config
from hornbook.nn.dropout import Dropout
from hornbook.nn.norm import NormConfig


class EmbeddingConfig(Config):
    """Vectors are summed, then normalised.

    positions: how many learned position vectors are added (Radford et al. 2019), "sinusoidal" for
    fixed ones (Vaswani et al. 2017), or None. scaled: token vectors are multiplied by the square
    root of the width (ibid., 3.4). multiplier: of token vectors besides. first: which position
    vector is that of position 0. types: how many learned segment vectors (Devlin et al. 2019).
    dropout: the share of channels dropped while training.
    """

    positions: int | Literal["sinusoidal"] | None = None
    scaled: bool = False
    multiplier: float = 1.0
    first: int = 0
    types: int = 0
    norm: NormConfig | None = None
    dropout: float = 0.0

    def scale(self, width: int) -> float:
        """What token vectors are multiplied by."""
        return self.multiplier * (math.sqrt(width) if self.scaled else 1.0)

    def build(self, vocab: int, width: int) -> "Embedding":
        return Embedding(self, vocab, width)

    def parameters(self, vocab: int, width: int) -> int:
        learned = self.positions if isinstance(self.positions, int) else 0
        norm = self.norm.parameters(width) if self.norm else 0
        return (vocab + learned + self.types) * width + norm


class Embedding(nn.Module):
    """tokens (B, T), pos (B or 1, T), types (B, T) or None for all of type 0 -> (B, T, D)"""

    def __init__(self, config: EmbeddingConfig, vocab: int, width: int) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(vocab, width)
        learned = config.positions
        self.position = nn.Embedding(learned, width) if isinstance(learned, int) else None
        self.segment = nn.Embedding(config.types, width) if config.types else None
        self.norm = config.norm.build(width) if config.norm else nn.Identity()
        self.dropout = Dropout(config.dropout)

    def forward(self, tokens: Tensor, pos: Tensor, types: Tensor | None = None) -> Tensor:
        x = self.token(tokens)
        if (scale := self.config.scale(x.shape[-1])) != 1:
            x = x * scale
        if self.position is not None:
            x = x + self.position(pos + self.config.first)
        elif self.config.positions == "sinusoidal":
            x = x + sinusoids(pos, x.shape[-1]).to(x.dtype)
        if self.segment is not None:
            x = x + self.segment(torch.zeros_like(pos) if types is None else types)
        y: Tensor = self.dropout(self.norm(x))
        return y


def sinusoids(pos: Tensor, width: int) -> Tensor:
    """(B or 1, T) -> (B or 1, T, D) float32: sines in the first half, cosines in the second.

    Wavelengths are those of Vaswani et al. 2017, 3.5; there sines and cosines alternate, which a
    permutation of channels makes the same.
    """
    exponents = torch.arange(0, width, 2, dtype=torch.float32, device=pos.device) / width
    angles = pos[..., None].float() / 10_000.0**exponents
    return torch.cat([angles.sin(), angles.cos()[..., : width // 2]], dim=-1)
