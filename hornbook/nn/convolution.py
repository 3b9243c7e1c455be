"""Causal depthwise convolution: each channel for itself, over its last few values.

Shared by the layers that hold one.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.nn.contract import Mask
from hornbook.nn.recurrence_kernel import begins, convolved, convolves


class CausalConvolution(nn.Module):
    """y_t = bias + sum_k weight_k x_(t-K+1+k): (B, T, C) -> (B, T, C) with K taps.

    weight: (C, 1, K) as in nn.Conv1d, the newest value last. Three dimensions also tell the
    optimiser that this is no matrix between channels.
    """

    def __init__(self, channels: int, kernel: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 1, kernel))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Tensor, mask: Mask, past: Tensor | None = None) -> Tensor:
        """past: (B, K-1, C), the values before x; overwritten by those before the next chunk.

        Invalid values count as zero, and so does what lies before the start or in another segment.
        """
        return self._convolve(x, mask, past, active=False)

    def _convolve(self, x: Tensor, mask: Mask, past: Tensor | None, active: bool) -> Tensor:
        if mask.valid is not None:
            x = x.masked_fill(~mask.valid[..., None], 0)
        if past is None and convolves(x, self.weight.shape[-1]):
            return convolved(x, self.weight, self.bias, begins(mask.segments), active)
        lags = self.weight.shape[-1] - 1
        if past is None:
            known = F.pad(x, (0, 0, lags, 0))
        else:
            known = torch.cat([past.to(x.dtype), x], dim=1)
            past.copy_(_last(known, mask.valid, lags))
        y = self._taps(known, mask.segments, x.shape[1])
        return F.silu(y) if active else y

    def activated(self, x: Tensor, mask: Mask, past: Tensor | None = None) -> Tensor:
        """SiLU of it."""
        return self._convolve(x, mask, past, active=True)

    def new_past(self, rows: int, like: Tensor) -> Tensor:
        """What lies before the first value: zeros, (rows, K-1, C)."""
        return like.new_zeros(rows, self.weight.shape[-1] - 1, self.weight.shape[0])

    def _taps(self, known: Tensor, segments: Tensor | None, time: int) -> Tensor:
        """One multiply-add a tap, in rows as they lie: compiled, these become a single pass, and
        take about half the time of the convolution kernel between two transpositions."""
        newest, *older = self.weight[:, 0].unbind(-1)[::-1]
        y = known[:, len(older) :] * newest
        for lag, weight in enumerate(older, start=1):
            tap = known[:, len(older) - lag :][:, :time]
            if segments is not None:
                tap = tap * _same(segments, lag)[..., None]
            y = torch.addcmul(y, tap, weight)
        return y if self.bias is None else y + self.bias


def _last(known: Tensor, valid: Tensor | None, count: int) -> Tensor:
    """The `count` values that precede the next chunk, when padding is on the right."""
    if valid is None:
        return known[:, known.shape[1] - count :]
    at = valid.sum(1, keepdim=True) + torch.arange(count, device=known.device)
    return known.gather(1, at[..., None].expand(-1, -1, known.shape[2]))


def _same(segments: Tensor, lag: int) -> Tensor:
    """Whether the value `lag` before a token is of the token's own segment, (B, T) bool."""
    before = segments[:, : max(0, segments.shape[1] - lag)]
    same = segments[:, lag:] == before
    return F.pad(same, (segments.shape[1] - same.shape[1], 0))
