"""Attention in bfloat16 with its gradient by our own kernels (`kernels.attend`), as a torch
operation.

torch's own kernel takes ten times as long for the gradient over short sequences as the arithmetic
needs (docs/log.md). Under torch.compile the operation is one that the compiler looks past.
"""

from typing import Any

import torch
from torch import Tensor

from hornbook.kernels.attend import Looking, attend, attend_back
from hornbook.nn.training_kernels import (
    bfloats,
    from_bfloats,
    in_rows,
    needed_kernels,
    training_kernels,
)


def attends(q: Tensor, mask: Tensor | None) -> bool:
    """Whether the kernels compute this attention: one whose gradient is wanted."""
    return (
        q.dtype == torch.bfloat16
        and q.device.type == "cpu"
        and torch.is_grad_enabled()
        and (mask is None or mask.dtype == torch.bool)
        and training_kernels() is not None
    )


@torch.library.custom_op("hornbook::attend", mutates_args=())
def attend_with_sums(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    """What queries (B, H, T, C) gather of values (B, H or fewer, S, C), as they are, and (B, H, T)
    float32 for the way back. seen: bool, that broadcasts to (B, H, T, S)."""
    y, sums = attend(needed_kernels(), _looking(q, k, v, seen, causal, scale))
    return from_bfloats(y), torch.from_numpy(sums)


@torch.library.custom_op("hornbook::attend_back", mutates_args=())
def _attend_back(
    dy: Tensor,
    sums: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    seen: Tensor | None,
    causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    looking = _looking(q, k, v, seen, causal, scale)
    dq, dk, dv = attend_back(needed_kernels(), looking, sums.numpy(), bfloats(dy))
    return from_bfloats(dq), from_bfloats(dk), from_bfloats(dv)


def _looking(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, causal: bool, scale: float
) -> Looking:
    mask = None if seen is None else in_rows(seen).numpy()
    return Looking(bfloats(q), bfloats(k), bfloats(v), mask, causal, scale)


def _like(x: Tensor) -> Tensor:
    """Of its shape, laid out as `kernels.attend` does."""
    return torch.empty_like(x.transpose(1, 2), memory_format=torch.contiguous_format).transpose(
        1, 2
    )


@attend_with_sums.register_fake
def _(
    q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None, causal: bool, scale: float
) -> tuple[Tensor, Tensor]:
    return _like(q), q.new_empty(q.shape[:3], dtype=torch.float32)


@_attend_back.register_fake
def _(
    dy: Tensor,
    sums: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    seen: Tensor | None,
    causal: bool,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor]:
    return _like(q), _like(k), _like(v)


def _remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    q, k, v, seen, ctx.causal, ctx.scale = inputs
    ctx.save_for_backward(output[1], q, k, v, seen)


def _backward(ctx: Any, dy: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    sums, q, k, v, seen = ctx.saved_tensors
    found = _attend_back(dy, sums, q, k, v, seen, ctx.causal, ctx.scale)
    return *found, None, None, None


attend_with_sums.register_autograd(_backward, setup_context=_remember)
