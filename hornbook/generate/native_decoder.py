"""A packed decoder in our own kernels: all layers of a call's rows in one go.

A row is a token with its slot and position, so a stream's next token, those of many streams and a
prompt's chunk take the same way, and each token gets the same bits whatever it is computed beside.
Knows the layers' parts and the kernels' structures; owns no state.
"""

import ctypes
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from hornbook.models.causal_lm import CausalLM
from hornbook.models.pack import Block, blocks_of
from hornbook.nn import native
from hornbook.nn.contract import State
from hornbook.nn.norm import RMSNorm
from hornbook.nn.packed import NativeLinear
from hornbook.nn.rotary import angles


class NativeDecoder:
    """A `Decoder`. Opened with `native_decoder`."""

    def __init__(self, model: CausalLM, blocks: list[Block]) -> None:
        self.model, self.config, self.head = model, model.config, cast(NativeLinear, model.head)
        library = native.library()
        assert library is not None
        self._library = library
        self._attention = blocks[0].attention.config
        assert self._attention.rotary is not None
        self._half, self._theta = self._attention.head // 2, self._attention.rotary.theta
        self._kept: list[Tensor] = []  # what the structures point at
        self._layers = (native.Layer * len(blocks))(*map(self._layer, blocks))
        norm = cast(RMSNorm, model.stack.norm)
        head_norm = cast(RMSNorm, blocks[0].attention.query_norm)
        self._decoder = native.Decoder(
            width=model.config.width,
            hidden=cast(NativeLinear, blocks[0].mlp.down).inputs,
            heads=self._attention.heads,
            kv_heads=self._attention.kv_heads,
            head=self._attention.head,
            layers=len(blocks),
            epsilon=norm.epsilon,
            head_epsilon=head_norm.epsilon if self._attention.qk_norm else 0.0,
            layer=self._layers,
            last_norm=self._weight(norm),
        )
        self._turns = torch.empty(0), torch.empty(0)

    def __call__(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """As the model's: logits (B, T, V) of the token after each."""
        return self.head(self.go_on(tokens, state, valid))

    def new_state(self, rows: int, room: int | None = None) -> State:
        """As the model's, but keys and values are half floats."""
        return self.model.new_state(rows, room, torch.float16)

    def go_on(self, tokens: Tensor, state: State, valid: Tensor | None = None) -> Tensor:
        """As the model's: what the head reads, (B, T, D); zeros where nothing is valid."""
        rows, time = tokens.shape
        ctx = state.context(time, valid)
        x = self.model.embedding(tokens, ctx.pos).flatten(0, 1)  # (B T, D)
        slots = torch.arange(rows, dtype=torch.int32).repeat_interleave(time)
        positions = ctx.pos.expand(rows, time).flatten().int()
        real = None if valid is None else valid.flatten()
        if real is not None:
            x, slots, positions = x[real], slots[real], positions[real]
        x = self._through(x.contiguous(), slots, positions, state, ctx.reach)
        state.advance(time if valid is None else valid.sum(1))
        if real is not None:
            x = x.new_zeros(rows * time, x.shape[1]).index_put((real,), x)
        return x.view(rows, time, -1)

    def _through(
        self, x: Tensor, slots: Tensor, positions: Tensor, state: State, reach: int
    ) -> Tensor:
        """x (R, D) after all layers and the last norm, in place; keys and values are written."""
        if not len(x):
            return x
        caches = state.caches[::2]
        keys, values = (
            (ctypes.c_void_p * len(caches))(*[cache[name].data_ptr() for cache in caches])
            for name in ("key", "value")
        )
        cos, sin = self._angles(reach)
        slot_stride, head_stride, _, _ = caches[0]["key"].stride()
        rows = native.Pass(
            rows=len(x),
            reach=reach,
            x=x.data_ptr(),
            slot=slots.data_ptr(),
            position=positions.data_ptr(),
            cos=cos.data_ptr(),
            sin=sin.data_ptr(),
            keys=keys,
            values=values,
            slot_stride=slot_stride,
            head_stride=head_stride,
        )
        self._library.run(self._decoder, rows)
        return x

    def _angles(self, reach: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines (P, C / 2) of at least the first `reach` positions."""
        if len(self._turns[0]) < reach:
            pos = torch.arange(min(self.config.context, 2 * reach))[None]
            cos, sin = angles(pos, self._half, self._theta, torch.float32)
            self._turns = cos[0, 0].contiguous(), sin[0, 0].contiguous()
        return self._turns

    def _layer(self, block: Block) -> native.Layer:
        attention, normed = block.attention, self._attention.qk_norm is not None
        return native.Layer(
            attention_norm=self._weight(block.attention_norm),
            query_norm=self._weight(cast(RMSNorm, attention.query_norm)) if normed else None,
            key_norm=self._weight(cast(RMSNorm, attention.key_norm)) if normed else None,
            mlp_norm=self._weight(block.mlp_norm),
            joint=cast(NativeLinear, attention.joint).matrix,
            output=cast(NativeLinear, attention.output).matrix,
            gate_up=cast(NativeLinear, block.mlp.joint).matrix,
            down=cast(NativeLinear, block.mlp.down).matrix,
        )

    def _weight(self, norm: RMSNorm) -> int:
        self._kept.append(norm.weight.detach().float().contiguous())
        return self._kept[-1].data_ptr()


def native_decoder(model: CausalLM) -> NativeDecoder | None:
    """The way through our own kernels, or None where a part of the model is of another kind."""
    blocks = blocks_of(model, NativeLinear)
    if blocks is None or model.config.width % 32 or blocks[0].attention.config.head % 16:
        return None
    norms = [norm for block in blocks for norm in (block.attention_norm, block.mlp_norm)]
    epsilons = {norm.epsilon for norm in (*norms, cast(RMSNorm, model.stack.norm))}
    sizes = {cast(NativeLinear, block.mlp.down).inputs for block in blocks}
    plain = all(block.mlp.activation is F.silu for block in blocks)
    return NativeDecoder(model, blocks) if plain and len(epsilons) == len(sizes) == 1 else None
