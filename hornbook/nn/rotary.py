"""Rotary position embedding (Su et al. 2021): queries and keys are rotated by their position.

The two halves of what turns of a head are the pairs that rotate together, as in the Hugging Face
models.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hornbook.nn.contract import Context
from hornbook.nn.frequencies import RotaryConfig


class RotaryAngles:
    """The angles of a context's positions, for heads of `head` channels; computed once a pass."""

    def __init__(self, config: RotaryConfig, head: int) -> None:
        self.config, self._key = config, f"{head} channels of {config!r}"
        self._switch = config.switches_at()
        # Without torch: a model's outline is made on a device that holds no numbers.
        self._near = config.frequencies(head).tolist()
        beyond = (self._switch or 0) + 1
        self._far = config.frequencies(head, beyond).tolist()
        self.pairs = len(self._near)

    def __call__(self, ctx: Context, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosines and sines (B or 1, 1, T, pairs)."""
        found: tuple[Tensor, Tensor] = ctx.once(
            (self._key, dtype), lambda: self._angles(ctx, dtype)
        )
        return found

    def _angles(self, ctx: Context, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        frequencies = self._near
        if self._switch is not None and (ctx.room or int(ctx.pos.max()) + 1) > self._switch:
            frequencies = self._far
        return angles(ctx.pos, frequencies, self.config.amplitude, dtype)


def angles(
    pos: Tensor, frequencies: Sequence[float], amplitude: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosines and sines (B or 1, 1, T, pairs) of the angles of pos (B or 1, T), times amplitude.

    frequencies: of each pair, radians a token.
    """
    turn = torch.tensor(frequencies, dtype=torch.float32, device=pos.device)
    found = pos[:, None, :, None].float() * turn
    cos, sin = found.cos(), found.sin()
    if amplitude != 1:
        cos, sin = cos * amplitude, sin * amplitude
    return cos.to(dtype), sin.to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (B, H, T, C) rotated: channel i with channel i + pairs; what is left of a head stays."""
    half = cos.shape[-1]
    first, second = x[..., :half], x[..., half : 2 * half]
    turned = [first * cos - second * sin, second * cos + first * sin]
    if x.shape[-1] > 2 * half:
        turned.append(x[..., 2 * half :])
    return torch.cat(turned, dim=-1)
