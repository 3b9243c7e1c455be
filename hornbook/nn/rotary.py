"""Rotary position embedding (Su et al. 2021): queries and keys are rotated by their position.

The two halves of a head are the pairs that rotate together, as in the Hugging Face models.
"""

import torch
from torch import Tensor

from hornbook.core.config import Config


class RotaryConfig(Config):
    """theta: the base of the wavelengths, 2 pi theta^(2i/C) tokens for pair i.

    channels: of a head, the first ones that turn; None for all.
    """

    theta: float = 10_000.0
    channels: int | None = None

    def pairs(self, head: int) -> int:
        """How many pairs of a head of `head` channels turn."""
        return (self.channels or head) // 2


def angles(pos: Tensor, half: int, theta: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and sines (B or 1, 1, T, half) of the angles of pos (B or 1, T)."""
    exponents = torch.arange(half, dtype=torch.float32, device=pos.device) / half
    # 1 / theta^e and not theta^-e: the last bit differs, and is worth 1e-3 rad at position 10,000.
    frequencies = 1.0 / theta**exponents
    found = pos[:, None, :, None].float() * frequencies
    return found.cos().to(dtype), found.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (B, H, T, C) rotated: channel i with channel i + pairs; what is left of a head stays."""
    half = cos.shape[-1]
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return torch.cat([first * cos - second * sin, second * cos + first * sin, rest], dim=-1)
