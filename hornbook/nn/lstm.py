"""Long short-term memory (Hochreiter & Schmidhuber 1997), on torch's fused kernel.

Parameters as nn.LSTM holds them, gates in its order (input, forget, cell, output):
input.weight = weight_ih_l0, recurrent.weight = weight_hh_l0, input.bias = the sum of its two
biases. The forget gate wants to begin open, at a bias of 1 (Jozefowicz et al. 2015):
`initialise.forget_bias`.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from hornbook.nn.contract import Cache, Context, Layer, LayerConfig, Mask, register


@register("lstm")
class LSTMConfig(LayerConfig):
    """One direction, as many hidden channels as the stream is wide."""

    def build(self, width: int) -> Layer:
        return LSTM(width)

    def parameters(self, width: int) -> int:
        return 4 * width * (2 * width + 1)

    @classmethod
    def examples(cls) -> Sequence[Self]:
        return (cls(),)


class LSTM(Layer):
    """c = f * c + i * g, h = o * tanh(c); what comes out is h."""

    def __init__(self, width: int) -> None:
        super().__init__()
        # Not nn.Linear: the kernel reads the weights, and whoever replaces a linear map by
        # another would wait for a call that never comes.
        shape = (4 * width, width)
        self.input = nn.ParameterDict(
            {"weight": torch.zeros(shape), "bias": torch.zeros(4 * width)}
        )
        self.recurrent = nn.ParameterDict({"weight": torch.zeros(shape)})

    # The compiler would unroll the kernel into one graph node a token and gate.
    @torch.compiler.disable
    def forward(self, x: Tensor, ctx: Context, cache: Cache | None = None) -> Tensor:
        mask = ctx.mask
        assert mask.causal, "a recurrence reads one way"
        assert cache is None or mask.segments is None, "a cache holds one segment a row"
        if mask.valid is None and mask.segments is None:
            return self._dense(x, cache)
        return self._ragged(x, _pack(mask), cache)

    def new_cache(self, rows: int, room: int, like: Tensor) -> Cache:
        shape = (rows, self.recurrent["weight"].shape[1])
        return {"hidden": like.new_zeros(shape), "cell": like.new_zeros(shape)}

    def _dense(self, x: Tensor, cache: Cache | None) -> Tensor:
        """Every token is real and follows the one before it."""
        start = self._start(x, len(x), cache, slice(None))
        y, *end = torch.lstm(x, start, self._weights(), True, 1, 0.0, self.training, False, True)
        _keep(cache, slice(None), end)
        return y

    def _ragged(self, x: Tensor, pack: "_Pack", cache: Cache | None) -> Tensor:
        """Each sequence stops at its own last token; outputs of invalid tokens are zero."""
        tokens = x.flatten(0, 1)
        y = torch.zeros_like(tokens)
        if len(pack.tokens) == 0:
            return y.view_as(x)
        start = self._start(x, len(pack.rows), cache, pack.rows)
        some, *end = torch.lstm(
            tokens[pack.tokens], pack.sizes, start, self._weights(),
            True, 1, 0.0, self.training, False,
        )  # fmt: skip
        _keep(cache, pack.rows, end)
        return y.to(some.dtype).index_copy(0, pack.tokens, some).view_as(x)

    def _weights(self) -> list[Tensor]:
        bias = self.input["bias"]  # the kernel adds two
        return [self.input["weight"], self.recurrent["weight"], bias, torch.zeros_like(bias)]

    def _start(
        self, x: Tensor, count: int, cache: Cache | None, rows: Tensor | slice
    ) -> list[Tensor]:
        """hidden and cell (1, count, D) that the sequences of `rows` begin with."""
        if cache is None:
            return [x.new_zeros(1, count, x.shape[-1])] * 2
        return [cache[name][rows].to(x.dtype)[None] for name in ("hidden", "cell")]


class _Pack(NamedTuple):
    """Sequences of several lengths as the kernel reads them: all first tokens, all second, ...

    tokens: (N,) where each lies in the flat (B*T) batch. sizes: how many sequences have a first,
    a second, ... token, so that no time is spent on padding. rows: (sequences,) the row of each.
    """

    tokens: Tensor
    sizes: Tensor
    rows: Tensor


def _pack(mask: Mask) -> _Pack:
    """The valid tokens of each segment of each row are one sequence; longer ones come first."""
    like = mask.valid if mask.valid is not None else mask.segments
    assert like is not None
    row = torch.arange(len(like), device=like.device)[:, None].expand_as(like)
    segment = mask.segments if mask.segments is not None else torch.zeros_like(row)
    owner = row * (segment.max() + 1) + segment
    tokens = torch.arange(owner.numel(), device=like.device)
    if mask.valid is not None:
        tokens = tokens[mask.valid.flatten()]
    _, sequence, length = owner.flatten()[tokens].unique(return_inverse=True, return_counts=True)
    by_length = length.argsort(descending=True, stable=True)
    order = by_length.argsort()[sequence].argsort(stable=True)  # sequence by sequence
    tokens, length = tokens[order], length[by_length]
    starts = (length.cumsum(0) - length).repeat_interleave(length)
    step = torch.arange(len(tokens), device=like.device) - starts
    rows = row.flatten()[tokens[step == 0]]
    return _Pack(tokens[step.argsort(stable=True)], step.bincount().cpu(), rows)


def _keep(cache: Cache | None, rows: Tensor | slice, end: list[Tensor]) -> None:
    """Write the final hidden and cell, each (1, rows, D), where their rows are."""
    if cache is not None:
        for name, tensor in zip(("hidden", "cell"), end, strict=True):
            cache[name][rows] = tensor[0].to(cache[name].dtype)
