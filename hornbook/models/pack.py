"""A decoder whose matrices are codes of four or eight bits: faster to run, never trained.

Projections that read the same input become one. Knows layers by their types; how codes come about
is the caller's business.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hornbook.models.causal_lm import CausalLM
from hornbook.nn.attention import Attention
from hornbook.nn.mlp import GatedMLP
from hornbook.nn.norm import RMSNorm
from hornbook.nn.packed import ROWS, Matrix, can_pack, join, packed, quantise
from hornbook.nn.residual import PreNorm

Source = Callable[[str, nn.Linear], Matrix | None]
"""The codes of a linear layer by its name; None leaves it as it is."""


class JointAttention(Attention):
    """Attention whose queries, keys and values are one product."""

    joint: nn.Module
    sizes: list[int]

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self.joint(x).split(self.sizes, -1)
        return q, k, v


class JointMLP(GatedMLP):
    """A gated MLP whose gate and values are one product."""

    joint: nn.Module

    def forward(self, x: Tensor, ctx: object, cache: object = None) -> Tensor:
        gate, up = self.joint(x).chunk(2, -1)
        return self.down(self.activation(gate) * up)


class Block(NamedTuple):
    """An attention and an MLP, each behind a norm."""

    attention_norm: RMSNorm
    attention: JointAttention
    mlp_norm: RMSNorm
    mlp: JointMLP


def blocks_of(model: CausalLM, linear: type[nn.Module]) -> list[Block] | None:
    """A packed decoder as a list of blocks, as most are built: rotary attention, gated MLP, RMS
    norms, one wavelength and head for all, and every matrix a `linear`. None where it is not.
    """
    layers, blocks = list(model.stack.layers), []
    if len(layers) % 2 or not layers or not isinstance(model.stack.norm, RMSNorm):
        return None
    for first, second in zip(layers[::2], layers[1::2], strict=True):
        if not (isinstance(first, PreNorm) and isinstance(second, PreNorm)):
            return None
        block = (first.norm, first.layer, second.norm, second.layer)
        if not all(map(isinstance, block, (RMSNorm, JointAttention, RMSNorm, JointMLP))):
            return None
        blocks.append(Block(*block))  # type: ignore[arg-type]
    matrices: list[nn.Module] = [model.head]
    for block in blocks:
        matrices += [block.attention.joint, block.attention.output, block.mlp.joint, block.mlp.down]
    configs = {block.attention.config for block in blocks}
    alike = len(configs) == 1 and blocks[0].attention.config.rotary is not None
    return blocks if alike and all(isinstance(one, linear) for one in matrices) else None


def pack(model: CausalLM, source: Source) -> CausalLM:
    """Replace in place what `source` has codes for; returns the model.

    Joined are three projections of an attention, and gate and values of an MLP, when all are there
    with as many bits.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, Attention):
            if _join(module, name, ("query", "key", "value"), source):
                module.__class__ = JointAttention
        elif isinstance(module, GatedMLP) and _join(module, name, ("gate", "up"), source):
            module.__class__ = JointMLP
    for name, module in list(model.named_modules()):
        for own, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                found = source(f"{name}.{own}" if name else own, child)
                if found is not None:
                    setattr(module, own, packed(found, child.bias))
    return model


def from_weights(bits: int, exact: frozenset[str] = frozenset({"head"})) -> Source:
    """Codes of a model's own weights: of `bits`, and 8 where errors reach every logit."""

    def source(name: str, linear: nn.Linear) -> Matrix | None:
        if not can_pack(*linear.weight.shape):
            return None
        own = 8 if name in exact else bits
        parts = (quantise(rows, own) for rows in linear.weight.split(ROWS))
        outputs, inputs = linear.weight.shape
        return Matrix(outputs, inputs, own, parts)

    return source


@torch.no_grad()
def _join(module: nn.Module, name: str, parts: tuple[str, ...], source: Source) -> bool:
    linears = [module.get_submodule(part) for part in parts]
    found: list[Matrix] = []
    for part, linear in zip(parts, linears, strict=True):
        assert isinstance(linear, nn.Linear)
        matrix = source(f"{name}.{part}", linear)
        if matrix is None or (found and matrix.bits != found[0].bits):
            return False
        found.append(matrix)
    biases = [linear.bias for linear in linears if linear.bias is not None]
    bias = torch.cat(biases) if len(biases) == len(linears) else None  # type: ignore[arg-type]
    if biases and bias is None:
        return False
    module.joint = packed(join(found), bias)
    module.sizes = [matrix.outputs for matrix in found]  # type: ignore[assignment]
    for part in parts:
        setattr(module, part, nn.Identity())
    return True
