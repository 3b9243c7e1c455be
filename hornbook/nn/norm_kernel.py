"""Norms, rotary positions and gates by our own kernels (`kernels.norms`), with their gradients.

What torch does between products goes over memory once for each of its operations; each of these
goes over it once. A layer that torch compiles does without them.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hornbook.kernels.norms import Turned, fits, gate, gate_back, turn, turn_back
from hornbook.nn.training_kernels import (
    bfloats,
    floats,
    from_bfloats,
    in_rows,
    needed_kernels,
    trains,
)

Angles = tuple[Tensor, Tensor]
"""Cosines and sines (B or 1, 1, T, pairs), float32."""


def turns(x: Tensor, pairs: int = 0) -> bool:
    """Whether the kernels norm x (..., C) here, and turn so many pairs of its channels."""
    kind = x.dtype in (torch.float32, torch.bfloat16)
    return kind and x.numel() > 0 and fits(x.shape[-1], pairs) and trains(x)


def normed_and_turned(
    x: Tensor, weight: Tensor | None, epsilon: float, angles: Angles | None = None
) -> Tensor:
    """x (B, H, T, C) over its root mean square times weight (C,), if there is one (Zhang & Sennrich
    2019), then turned by its positions, if there are angles (Su et al. 2021): bfloat16."""
    cos, sin = angles if angles is not None else (None, None)
    y: Tensor = _Turned.apply(x, weight, epsilon, cos, sin)  # type: ignore[no-untyped-call]
    return y


def gated(gates: Tensor, ups: Tensor) -> Tensor:
    """silu(gates) ups of bfloat16 tensors for which `gates_fit`."""
    y: Tensor = _Gated.apply(gates, ups)  # type: ignore[no-untyped-call]
    return y


def gates_fit(gates: Tensor, ups: Tensor) -> bool:
    """Whether the kernels compute this gate here."""
    short = gates.dtype == ups.dtype == torch.bfloat16
    return short and gates.shape[-1] % 16 == 0 and gates.numel() > 0 and trains(gates)


class _Turned(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        epsilon: float,
        cos: Tensor | None,
        sin: Tensor | None,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, cos, sin)
        ctx.epsilon = epsilon
        return from_bfloats(turn(needed_kernels(), _turned(x, weight, epsilon, cos, sin)))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, cos, sin = ctx.saved_tensors
        turned = _turned(x, weight, ctx.epsilon, cos, sin)
        dx, dweight = turn_back(needed_kernels(), turned, bfloats(dy))
        found = from_bfloats(dx) if x.dtype == torch.bfloat16 else torch.from_numpy(dx)
        return found, None if dweight is None else torch.from_numpy(dweight), None, None, None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gates: Tensor, ups: Tensor) -> Tensor:
        gates, ups = gates.contiguous(), ups.contiguous()
        ctx.save_for_backward(gates, ups)
        return from_bfloats(gate(needed_kernels(), bfloats(gates), bfloats(ups)))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor]:
        gates, ups = map(bfloats, ctx.saved_tensors)
        dgates, dups = gate_back(needed_kernels(), gates, ups, bfloats(dy.contiguous()))
        return from_bfloats(dgates), from_bfloats(dups)


def _turned(
    x: Tensor, weight: Tensor | None, epsilon: float, cos: Tensor | None, sin: Tensor | None
) -> Turned:
    numbers = bfloats(x) if x.dtype == torch.bfloat16 else in_rows(x.detach()).numpy()
    gain = None if weight is None else floats(weight)
    return Turned(numbers, gain, epsilon, _table(cos), _table(sin))


def _table(angles: Tensor | None) -> np.ndarray | None:
    return None if angles is None else angles[:, 0].contiguous().numpy()
