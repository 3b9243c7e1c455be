"""One token of one sequence through a packed decoder, with as few calls as can be.

For a single token the work between kernels is most of the time: here it is written out for the
blocks that most decoders are made of (pre-norm attention, gated MLP), with the operations of the
layers themselves, so that the same bits come out. Whatever else is asked, the model answers.
Knows the layers' parts; owns no state.
"""

from collections.abc import Callable
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from hornbook.kernels.structures import GROUP
from hornbook.models.causal_lm import CausalLM
from hornbook.models.pack import DecoderBlock, blocks_of
from hornbook.models.sequences import StateSequences
from hornbook.nn.contract import Cache, State
from hornbook.nn.norm import RMSNorm
from hornbook.nn.packed import PackedLinear
from hornbook.nn.rotary import RotaryAngles

_KERNEL = torch.ops.aten._weight_int4pack_mm_for_cpu.default


class _Attention(NamedTuple):
    norm: Callable[[Tensor], Tensor]
    inputs: Callable[[Tensor], Tensor]
    output: Callable[[Tensor], Tensor]
    query_norm: Callable[[Tensor], Tensor] | None
    key_norm: Callable[[Tensor], Tensor] | None
    heads: int
    kv_heads: int
    head: int
    rotary: RotaryAngles


class _MLP(NamedTuple):
    norm: Callable[[Tensor], Tensor]
    inputs: Callable[[Tensor], Tensor]
    output: Callable[[Tensor], Tensor]
    activation: Callable[[Tensor], Tensor]


class SingleTokenDecoder:
    """A `Decoder` that takes the short way where it can. Opened with `single_token_decoder`."""

    def __init__(self, model: CausalLM, blocks: list[tuple[_Attention, _MLP]]) -> None:
        self.model, self._blocks = model, blocks
        self.vocab, self.context = model.vocab, model.context
        self.head = cast(PackedLinear, model.head)
        self._last = _norm(cast(RMSNorm, model.stack.norm))
        self._product = _product(self.head)

    def __call__(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """As the model's: logits (B, T, V) of the token after each."""
        if tokens.numel() == 1 and valid is None:
            return self._one(tokens, state)
        return cast(Tensor, self.model(tokens, state, valid))

    def sequences(self, rows: int, capacity: int | None = None) -> StateSequences:
        """As the model's."""
        return StateSequences(self, self.model.new_state(rows, capacity))

    def go_on(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """As the model's."""
        return self.model.go_on(tokens, state, valid)

    def _one(self, tokens: Tensor, state: State) -> Tensor:
        ctx = state.context(1, None)
        reach = ctx.reach
        x = self.model.embedding(tokens, ctx.pos)[0]  # (1, D)
        cos, sin = self._blocks[0][0].rotary(ctx, x.dtype)
        cos, sin = cos.flatten(), sin.flatten()
        for (attention, mlp), cache in zip(self._blocks, state.caches[::2], strict=True):
            x = x + _attend(attention, x, cache, reach, cos, sin)
            gate, up = mlp.inputs(mlp.norm(x)).chunk(2, 1)
            x = x + mlp.output(mlp.activation(gate) * up)
        state.advance(1)
        return self._product(self._last(x))[None]


def single_token_decoder(model: CausalLM) -> SingleTokenDecoder | None:
    """The short way through a packed model, or None where a part of it is of another kind."""
    blocks = blocks_of(model)
    if blocks is None:
        return None
    return SingleTokenDecoder(model, [(_attention(block), _mlp(block)) for block in blocks])


def _attention(block: DecoderBlock) -> _Attention:
    inner = block.attention
    config = inner.config
    assert inner.rotary is not None
    normed = config.qk_norm is not None
    return _Attention(
        _norm(block.attention_norm),
        _product(cast(PackedLinear, inner.fused)),
        _product(cast(PackedLinear, inner.output)),
        _norm(cast(RMSNorm, inner.query_norm)) if normed else None,
        _norm(cast(RMSNorm, inner.key_norm)) if normed else None,
        config.heads,
        config.kv_heads,
        config.head,
        inner.rotary,
    )


def _mlp(block: DecoderBlock) -> _MLP:
    fused, down = cast(PackedLinear, block.mlp.fused), cast(PackedLinear, block.mlp.down)
    return _MLP(_norm(block.mlp_norm), _product(fused), _product(down), block.mlp.activation)


def _attend(
    part: _Attention, x: Tensor, cache: Cache, reach: int, cos: Tensor, sin: Tensor
) -> Tensor:
    """What the attention adds to x (1, D). cos, sin: (C / 2,) of this position."""
    heads, kv = part.heads, part.kv_heads
    y = part.inputs(part.norm(x)).view(heads + 2 * kv, part.head)
    both = y[: heads + kv]
    if part.query_norm and part.key_norm:
        both = torch.cat([part.query_norm(both[:heads]), part.key_norm(both[heads:])])
    both = _rotated(both, cos, sin)
    keys, values = cache["key"], cache["value"]
    keys[0, :, reach - 1] = both[heads:]
    values[0, :, reach - 1] = y[heads + kv :]
    q = both[:heads].view(1, kv, heads // kv, part.head)
    found = F.scaled_dot_product_attention(q, keys[:, :, :reach], values[:, :, :reach])
    return part.output(found.view(1, -1))


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (heads, C) rotated as by `nn.rotary.rotate`."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def _norm(norm: RMSNorm) -> Callable[[Tensor], Tensor]:
    """x (..., N) float32, normalised."""
    weight, epsilon = norm.gain(), norm.epsilon
    shape = list(weight.shape)
    return lambda x: torch.rms_norm(x, shape, weight, epsilon)


def _product(linear: PackedLinear) -> Callable[[Tensor], Tensor]:
    """x (1, K) -> (1, N), as the layer computes it."""
    upper, scales, bias = linear.upper, linear.upper_scales, linear.bias
    if linear.halves == 2:
        lower, finer = linear.lower, linear.lower_scales

        def both(x: Tensor) -> Tensor:
            rows = x.bfloat16()
            y = _KERNEL(rows, upper, GROUP, scales).float()
            y = y + _KERNEL(rows, lower, GROUP, finer)
            out: Tensor = y if bias is None else y + bias
            return out

        return both

    def one(x: Tensor) -> Tensor:
        y = _KERNEL(x.bfloat16(), upper, GROUP, scales).float()
        out: Tensor = y if bias is None else y + bias
        return out

    return one
