"""A decoder whose matrices are quantised to few bits: faster to run, never trained.

Projections that read the same input become one. Knows layers by their types; how matrices are
quantised is the caller's business.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hornbook import kernels as native
from hornbook.kernels.codes import Form
from hornbook.kernels.quantised import ROWS, QuantisedMatrix, can_pack, join
from hornbook.models.causal_lm import CausalLM
from hornbook.nn.attention import Attention, AttentionConfig
from hornbook.nn.delta import GatedDelta
from hornbook.nn.head import Capped, cap_of
from hornbook.nn.mlp import GatedMLP
from hornbook.nn.norm import RMSNorm
from hornbook.nn.packed import PackedLinear, packed, quantise
from hornbook.nn.residual import PreNorm

Source = Callable[[str, nn.Linear], QuantisedMatrix | None]
"""The quantised matrix of a linear layer by its name; None leaves it as it is."""


class FusedAttention(Attention):
    """Attention whose queries, keys and values are one product."""

    fused: nn.Module
    sizes: list[int]

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.fused(x).split(self.sizes, -1)
        return q, k, v


class FusedMLP(GatedMLP):
    """A gated MLP whose gate and values are one product."""

    fused: nn.Module

    def forward(self, x: Tensor, ctx: object, cache: object = None) -> Tensor:
        gate, up = self.fused(x).chunk(2, -1)
        y: Tensor = self.down(self.activation(gate) * up)
        return y


class DecoderBlock(NamedTuple):
    """An attention and an MLP, each behind a norm."""

    attention_norm: RMSNorm
    attention: FusedAttention
    mlp_norm: RMSNorm
    mlp: FusedMLP


def blocks_of(model: CausalLM) -> list[DecoderBlock] | None:
    """A packed decoder as a list of blocks, as most are built: rotary attention, gated MLP, RMS
    norms, one wavelength and head for all, and every matrix one of torch's kernel. None where it is
    not.
    """
    layers, blocks = list(model.stack.layers), []
    if len(layers) % 2 or not layers or not isinstance(model.stack.norm, RMSNorm):
        return None
    if model.config.multiplier != 1:
        return None
    for first, second in zip(layers[::2], layers[1::2], strict=True):
        if not (isinstance(first, PreNorm) and isinstance(second, PreNorm)):
            return None
        if (first.multiplier, second.multiplier) != (1, 1):
            return None
        block = (first.norm, first.layer, second.norm, second.layer)
        if not all(map(isinstance, block, (RMSNorm, FusedAttention, RMSNorm, FusedMLP))):
            return None
        blocks.append(DecoderBlock(*block))  # type: ignore[arg-type]
    matrices: list[nn.Module] = [model.head]
    for block in blocks:
        matrices += [block.attention.fused, block.attention.output, block.mlp.fused, block.mlp.down]
    configs = [block.attention.config for block in blocks]
    alike = _is_plain(configs[0]) and all(config == configs[0] for config in configs)
    return blocks if alike and all(isinstance(one, PackedLinear) for one in matrices) else None


def _is_plain(config: AttentionConfig) -> bool:
    """Whether it has nothing but the parts that are computed where a decoder is written out."""
    rotary = config.rotary
    if rotary is None or rotary.pairs(config.head) < config.head // 2 or rotary.switches_at():
        return False
    plain = AttentionConfig(
        heads=config.heads,
        kv_heads=config.kv_heads,
        head=config.head,
        rotary=rotary,
        qk_norm=config.qk_norm,
        bias=config.bias,
    )
    return plain == config


def pack(model: CausalLM, source: Source) -> CausalLM:
    """Replace in place what `source` has matrices for; returns the model. What makes a number a
    head stays as it is.

    Joined are three projections of an attention, and gate and values of an MLP, when all are there
    in one form.
    """
    whole = stay_whole(model)
    for name, module in list(model.named_modules()):
        if isinstance(module, Attention):
            if _join(module, name, ("query", "key", "value"), source):
                module.__class__ = FusedAttention
        elif isinstance(module, GatedMLP) and _join(module, name, ("gate", "up"), source):
            module.__class__ = FusedMLP
    for name, module in list(model.named_modules()):
        for own, child in list(module.named_children()):
            if isinstance(child, nn.Linear) and f"{name}.{own}" not in whole:
                found = source(f"{name}.{own}" if name else own, child)
                if found is not None:
                    made, cap = packed(found, child.bias), cap_of(child)
                    setattr(module, own, made if cap is None else Capped(made, cap))
    return model


def stay_whole(model: nn.Module) -> frozenset[str]:
    """Linear layers that make a number a head: small, and not worth their errors."""
    return frozenset(
        f"{name}.{own}"
        for name, module in model.named_modules()
        if isinstance(module, GatedDelta)
        for own in ("rate", "step")
    )


def from_weights(bits: int, exact: frozenset[str] = frozenset({"head"})) -> Source:
    """A model's own weights, quantised: to `bits`, and 8 where errors reach every logit."""

    def source(name: str, linear: nn.Linear) -> QuantisedMatrix | None:
        outputs, inputs = linear.weight.shape
        ragged = name == "head" and native.library() is not None
        if not can_pack(outputs, inputs, ragged):
            return None
        own = 8 if name in exact else bits
        parts = (quantise(rows, own) for rows in linear.weight.split(ROWS))
        return QuantisedMatrix(outputs, inputs, Form(own, offsets=True), parts)

    return source


@torch.no_grad()
def _join(module: nn.Module, name: str, parts: tuple[str, ...], source: Source) -> bool:
    linears = [module.get_submodule(part) for part in parts]
    found: list[QuantisedMatrix] = []
    for part, linear in zip(parts, linears, strict=True):
        assert isinstance(linear, nn.Linear)
        matrix = source(f"{name}.{part}", linear)
        if matrix is None or (found and matrix.form != found[0].form):
            return False
        found.append(matrix)
    biases = [linear.bias for linear in linears if linear.bias is not None]
    bias = torch.cat(biases) if len(biases) == len(linears) else None  # type: ignore[arg-type]
    if biases and bias is None:
        return False
    module.fused = packed(join(found), bias)
    module.sizes = [matrix.outputs for matrix in found]  # type: ignore[assignment]
    for part in parts:
        setattr(module, part, nn.Identity())
    return True
