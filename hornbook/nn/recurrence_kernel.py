"""What recurrent layers do between their projections by our own kernels, with gradients: causal
convolutions, Mamba-2's recurrence, the gated delta rule, and norms with a gate (`kernels`).

In bfloat16, where a gradient is wanted and nothing is remembered from before. A layer that torch
compiles does without them.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hornbook.kernels import convolve, norms, recurrence
from hornbook.nn.training_kernels import bfloats, floats, from_bfloats, needed_kernels, trains


def begins(segments: Tensor | None) -> np.ndarray | None:
    """The first token of each token's segment, (B, T) int32; segments (B, T), each in one piece."""
    if segments is None:
        return None
    ids = segments.numpy()
    places = np.arange(ids.shape[1], dtype=np.int32) * np.ones((len(ids), 1), np.int32)
    places[:, 1:] *= ids[:, 1:] != ids[:, :-1]
    found: np.ndarray = np.maximum.accumulate(places, axis=1)
    return found


def convolves(x: Tensor, taps: int) -> bool:
    """Whether the kernels convolve x (B, T, C) here, by so many taps."""
    return _short(x) and convolve.fits(x.shape[-1], taps)


def convolved(
    x: Tensor, weight: Tensor, bias: Tensor | None, begin: np.ndarray | None, active: bool
) -> Tensor:
    """(B, T, C) bfloat16 of x (B, T, C) for which `convolves`; weight (C, 1, K). begin: see
    `begins`. active: SiLU behind it."""
    y: Tensor = _Convolved.apply(x, weight, bias, begin, active)  # type: ignore[no-untyped-call]
    return y


def recurs(mixed: Tensor) -> bool:
    """Whether the kernels go through these tokens."""
    return _short(mixed)


def scanned(
    sizes: recurrence.ScanSizes,
    mixed: Tensor,
    step: Tensor,
    decay: Tensor,
    skip: Tensor,
    begin: np.ndarray | None,
) -> Tensor:
    """`kernels.recurrence.scan` with its gradient; step, decay (B, T, H) and skip (H,) float32."""
    y: Tensor = _Scan.apply(sizes, mixed, step, decay, skip, begin)  # type: ignore[no-untyped-call]
    return y


def ruled(
    sizes: recurrence.RuleSizes,
    mixed: Tensor,
    rate: Tensor,
    decay: Tensor,
    begin: np.ndarray | None,
) -> Tensor:
    """`kernels.recurrence.rule` with its gradient; rate and decay (B, T, H) float32."""
    y: Tensor = _Rule.apply(sizes, mixed, rate, decay, begin)  # type: ignore[no-untyped-call]
    return y


def gates(x: Tensor, gate: Tensor, size: int) -> bool:
    """Whether the kernels norm x and gate it, in groups of so many channels."""
    return _short(x) and gate.dtype == torch.bfloat16 and norms.fits(size, 0)


def gated_norm(
    x: Tensor, gate: Tensor, weight: Tensor, epsilon: float, groups: int, before: bool
) -> Tensor:
    """norm(x silu(gate)) if `before`, else norm(x) silu(gate), (B, T, C) bfloat16, each of the
    groups of channels by itself; weight (C,), or (C / groups,) if not `before`."""
    y: Tensor = _GatedNorm.apply(  # type: ignore[no-untyped-call]
        x, gate, weight, epsilon, groups, before
    )
    return y


def _short(x: Tensor) -> bool:
    return x.dtype == torch.bfloat16 and x.numel() > 0 and trains(x)


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        begin: np.ndarray | None,
        active: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        ctx.begin, ctx.active = begin, active
        call = _Convolved.arrays(x, weight, bias, begin, active)
        return from_bfloats(convolve.convolve(needed_kernels(), call))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias = ctx.saved_tensors
        call = _Convolved.arrays(x, weight, bias, ctx.begin, ctx.active)
        dx, found = convolve.convolve_back(needed_kernels(), call, bfloats(dy))
        whole = torch.from_numpy(found).sum(0)
        dbias = None if bias is None else whole[-1]
        return from_bfloats(dx), whole[:-1].T[:, None], dbias, None, None

    @staticmethod
    def arrays(
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        begin: np.ndarray | None,
        active: bool,
    ) -> convolve.Convolved:
        taps = floats(weight[:, 0].T)
        return convolve.Convolved(
            bfloats(x), taps, None if bias is None else floats(bias), begin, active
        )


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        sizes: recurrence.ScanSizes,
        mixed: Tensor,
        step: Tensor,
        decay: Tensor,
        skip: Tensor,
        begin: np.ndarray | None,
    ) -> Tensor:
        ctx.save_for_backward(mixed, step, decay, skip)
        ctx.sizes, ctx.begin = sizes, begin
        call = _Scan.arrays(ctx, mixed, step, decay, skip)
        return from_bfloats(recurrence.scan(needed_kernels(), sizes, call))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        call = _Scan.arrays(ctx, *ctx.saved_tensors)
        found = recurrence.scan_back(needed_kernels(), ctx.sizes, call, bfloats(dy))
        step, decay, skip = map(torch.from_numpy, found[1:])
        return None, from_bfloats(found.mixed), step, decay, skip.sum(0), None

    @staticmethod
    def arrays(
        ctx: Any, mixed: Tensor, step: Tensor, decay: Tensor, skip: Tensor
    ) -> recurrence.Scanned:
        numbers = floats(step), floats(decay), floats(skip)
        return recurrence.Scanned(bfloats(mixed), *numbers, ctx.begin)


class _Rule(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        sizes: recurrence.RuleSizes,
        mixed: Tensor,
        rate: Tensor,
        decay: Tensor,
        begin: np.ndarray | None,
    ) -> Tensor:
        ctx.save_for_backward(mixed, rate, decay)
        ctx.sizes, ctx.begin = sizes, begin
        call = _Rule.arrays(ctx, mixed, rate, decay)
        return from_bfloats(recurrence.rule(needed_kernels(), sizes, call))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        call = _Rule.arrays(ctx, *ctx.saved_tensors)
        found = recurrence.rule_back(needed_kernels(), ctx.sizes, call, bfloats(dy))
        rate, decay = map(torch.from_numpy, found[1:])
        return None, from_bfloats(found.mixed), rate, decay, None

    @staticmethod
    def arrays(ctx: Any, mixed: Tensor, rate: Tensor, decay: Tensor) -> recurrence.Ruled:
        return recurrence.Ruled(bfloats(mixed), floats(rate), floats(decay), ctx.begin)


class _GatedNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gate: Tensor,
        weight: Tensor,
        epsilon: float,
        groups: int,
        before: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, gate, weight)
        ctx.how = epsilon, groups, before
        y = norms.norm_gated(needed_kernels(), _GatedNorm.rows(x, gate, weight, *ctx.how))
        return _tokens(y)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        rows = _GatedNorm.rows(*ctx.saved_tensors, *ctx.how)
        slope = _grouped(dy, ctx.how[1])
        dx, dgate, dweight = norms.norm_gated_back(needed_kernels(), rows, slope)
        return _tokens(dx), _tokens(dgate), torch.from_numpy(dweight), None, None, None

    @staticmethod
    def rows(
        x: Tensor, gate: Tensor, weight: Tensor, epsilon: float, groups: int, before: bool
    ) -> norms.GatedRows:
        parts = _grouped(x, groups), _grouped(gate, groups)
        return norms.GatedRows(*parts, floats(weight), epsilon, before)


def _grouped(x: Tensor, groups: int) -> np.ndarray:
    """(B, T, C) as (B, groups, T, C / groups)."""
    return bfloats(x.unflatten(-1, (groups, -1)).transpose(1, 2))


def _tokens(x: np.ndarray) -> Tensor:
    """The other way, of what lies so."""
    return from_bfloats(x).transpose(1, 2).flatten(2)
