"""Rotary position embedding (Su et al. 2021): queries and keys turn by their position.

The two halves of a head are the pairs that turn together, as in the Hugging Face models.
"""

import torch
from torch import Tensor

from hornbook.core.config import Config


class RotaryConfig(Config):
    """theta: the base of the wavelengths, 2 pi theta^(2i/C) tokens for pair i."""

    theta: float = 10_000.0


def rotate(x: Tensor, pos: Tensor, theta: float) -> Tensor:
    """Turn x (B, H, T, C) by the angles of pos (B or 1, T); angles are computed in float32."""
    half = x.shape[-1] // 2
    exponents = torch.arange(half, dtype=torch.float32, device=x.device) / half
    # 1 / theta^e and not theta^-e: the last bit differs, and is worth 1e-3 rad at position 10,000.
    turns = 1.0 / theta**exponents
    angles = pos[:, None, :, None].float() * turns  # (B or 1, 1, T, C/2)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
