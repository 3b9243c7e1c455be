"""Long short-term memory (Hochreiter & Schmidhuber 1997), on torch's fused kernel.

Parameters as nn.LSTM holds them, gates in its order (input, forget, cell, output):
gates.weight = weight_ih_l0, recurrent.weight = weight_hh_l0, gates.bias = the sum of its two
biases. The forget gate wants to begin open, at a bias of 1 (Jozefowicz et al. 2015):
`initialise.forget_bias`.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, Mask, register


@register("lstm")
class LSTMConfig(LayerConfig):
    """One direction, as many hidden channels as the stream is wide."""

    ours: ClassVar[bool] = True
    one_way: ClassVar[bool] = True

    def build(self, width: int) -> Layer:
        return LSTM(width)

    def parameters(self, width: int) -> int:
        return 4 * width * (2 * width + 1)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (cls(),)


class LSTM(Layer):
    """c = f * c + i * g, h = o * tanh(c); what comes out is h."""

    # The compiler would unroll the kernel into a graph node for every token and gate.
    uncompiled = True

    def __init__(self, width: int) -> None:
        super().__init__()
        # Not nn.Linear: the kernel reads the weights, and whoever replaces a linear map by
        # another would wait for a call that never comes.
        shape = (4 * width, width)
        self.gates = nn.ParameterDict(
            {"weight": torch.zeros(shape), "bias": torch.zeros(4 * width)}
        )
        self.recurrent = nn.ParameterDict({"weight": torch.zeros(shape)})

    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        mask = ctx.mask
        assert mask.causal, "a recurrence reads one way"
        assert cache is None or mask.segments is None, "a cache holds one segment a row"
        if mask.valid is None and mask.segments is None:
            y, hidden, cell = self._run(x, self.gates["weight"], cache)
        else:
            y, hidden, cell = self._with_gaps(x, mask, cache)
        if cache is not None:
            cache["hidden"].copy_(hidden)
            cache["cell"].copy_(cell)
        return y

    def new_cache(self, rows: int, capacity: int, like: Tensor) -> Cache:
        shape = (rows, self.recurrent["weight"].shape[1])
        return {"hidden": like.new_zeros(shape), "cell": like.new_zeros(shape)}

    def _run(self, x: Tensor, weight: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor, Tensor]:
        """The kernel over x (B, T, inputs): h of every token, the last h and the last c."""
        if cache is None:
            start = [x.new_zeros(1, len(x), self.recurrent["weight"].shape[1])] * 2
        else:
            start = [cache["hidden"].to(x.dtype)[None], cache["cell"].to(x.dtype)[None]]
        bias = self.gates["bias"]
        weights = [weight, self.recurrent["weight"], bias, torch.zeros_like(bias)]  # it adds two
        y, hidden, cell = torch.lstm(x, start, weights, True, 1, 0.0, self.training, False, True)
        return y, hidden[0], cell[0]

    def _with_gaps(
        self, x: Tensor, mask: Mask, cache: Cache | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Move the valid tokens of each row together, with a gap before each new segment.

        Gaps are marked in input channels of their own, whose weights shut gates for good: between
        segments, all of them, so that h and c are exactly 0 after it; at the end of a chunk with a
        cache, the input gate alone while the forget gate is open, so that c stays. The kernel for
        sequences of several lengths would do as well, but its backward pass is quadratic in time.
        """
        slots, real = _slots(mask)
        capacity = int(slots.max()) + 1
        at = (slots + capacity * torch.arange(len(x), device=x.device)[:, None])[real]
        gaps = F.pad(x.new_zeros(len(x) * capacity, x.shape[-1]), (0, _MARKS), value=1.0)
        moved = gaps.index_copy(0, at, F.pad(x[real], (0, _MARKS))).unflatten(0, (len(x), capacity))
        shut = _SHUT_ALL if cache is None else _HOLD
        own = self.gates["weight"]
        marks = own.new_tensor(shut).repeat_interleave(x.shape[-1])[:, None].expand(-1, _MARKS)
        weight = torch.cat([own, marks], dim=1)
        y, hidden, cell = self._run(moved, weight, cache)
        if cache is not None:
            count = real.sum(1)
            last = y[torch.arange(len(y), device=y.device), (count - 1).clamp(min=0)]
            hidden = torch.where(count[:, None] > 0, last, cache["hidden"])
        back = y.new_zeros(x.shape)
        back[real] = y.flatten(0, 1)[at]
        return back, hidden, cell


# What a gap's mark adds to the input, forget, cell and output gates: a sigmoid of it is exactly
# 0 or 1, and its gradient exactly 0.
_SHUT_ALL = (-1e3, -1e3, 0.0, -1e3)
_HOLD = (-1e3, 1e3, 0.0, 0.0)
_MARKS = 2  # with one, an odd number of inputs, training in bfloat16 takes twice the time


def _slots(mask: Mask) -> tuple[Tensor, Tensor]:
    """Where each token goes, (B, T) int64, and which are real, (B, T) bool."""
    if mask.valid is not None:
        real = mask.valid
    else:
        assert mask.segments is not None
        real = torch.ones_like(mask.segments, dtype=torch.bool)
    slots = real.long().cumsum(1) - 1
    if mask.segments is not None:
        slots[:, 1:] += (mask.segments[:, 1:] != mask.segments[:, :-1]).long().cumsum(1)
    return slots.clamp(min=0), real
