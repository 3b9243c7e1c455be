"""What our kernels read of a packed decoder: its matrices, and what each block has as data.

Knows layers by their types. A part that the kernels have not is said in words, and torch's layers
compute such a model.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, NoReturn, TypeVar

import numpy as np
import torch
from torch import nn

from hornbook.kernels.quantised import (
    AttentionWeights,
    BlockWeights,
    DecoderWeights,
    DeltaWeights,
    Looks,
    MLPWeights,
    RecallWeights,
    Routing,
    Tiles,
)
from hornbook.kernels.structures import ACTIVATIONS, TILE
from hornbook.models.causal_lm import CausalLM
from hornbook.models.pack import FusedAttention, FusedMLP
from hornbook.models.turnings import turning
from hornbook.nn.attention import Attention
from hornbook.nn.delta import GatedDelta
from hornbook.nn.embedding import EmbeddingConfig
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.head import Capped
from hornbook.nn.mixture import Mixture
from hornbook.nn.mlp import GatedMLP
from hornbook.nn.norm import RMSNorm
from hornbook.nn.packed import NativeLinear
from hornbook.nn.residual import InnerNorm, PreNorm

_Kind = TypeVar("_Kind")
_Value = TypeVar("_Value")


class OtherPart(Exception):
    """A part of a decoder that the kernels have not, in words."""


class _Around(NamedTuple):
    """A layer, and what stands around it."""

    before: RMSNorm | None
    layer: nn.Module
    after: RMSNorm | None = None
    multiplier: float = 1.0


class _Block(NamedTuple):
    mixer: Attention | GatedDelta
    mlp: GatedMLP | Mixture
    around: tuple[_Around, _Around]

    def norms(self) -> list[RMSNorm]:
        """Those of the stream."""
        return [norm for each in self.around for norm in (each.before, each.after) if norm]

    def head_norms(self) -> list[RMSNorm]:
        """Those of queries and keys."""
        if not isinstance(self.mixer, Attention) or not self.mixer.config.qk_norm:
            return []
        return [_of(RMSNorm, norm) for norm in (self.mixer.query_norm, self.mixer.key_norm)]


def decoder_weights(model: CausalLM) -> DecoderWeights | None:
    """What our kernels read of a packed decoder, in its own memory; None where it has a part that
    they have not, which `described` names."""
    try:
        return described(model)
    except OtherPart:
        return None


def described(model: CausalLM) -> DecoderWeights:
    """As `decoder_weights`. Raises OtherPart."""
    blocks, last = _blocks(model), _of(RMSNorm, model.stack.norm)
    mixers = [block.mixer for block in blocks]
    configs = [mixer.config for mixer in mixers if isinstance(mixer, Attention)]
    rotaries = list(dict.fromkeys(config.rotary for config in configs if config.rotary))
    heads, kv_heads, head = _one(
        "numbers of heads", ((c.heads, c.kv_heads, c.head) for c in configs)
    )
    stream = [norm for block in blocks for norm in block.norms()]
    of_heads = [norm.epsilon for block in blocks for norm in block.head_norms()]
    logits = model.head
    found = DecoderWeights(
        vocab=model.vocab,
        context=model.context,
        width=model.config.width,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        turnings=[turning(rotary, head) for rotary in rotaries],
        epsilon=_one("epsilons", (norm.epsilon for norm in (*stream, last))),
        head_epsilon=_one("epsilons of heads", of_heads) if of_heads else 0.0,
        embed=_embedder(model),
        blocks=[_block_weights(block, rotaries) for block in blocks],
        last_norm=_numbers(last),
        logits=_tiles(logits.linear if isinstance(logits, Capped) else logits),
        multiplier=model.config.multiplier,
        cap=logits.cap if isinstance(logits, Capped) else None,
    )
    _one("widths of MLPs", (mlp.down.inputs for block in found.blocks for mlp in block.mlps))
    if not found.fits():
        _other(f"a width of {found.width} and heads of {head} channels")
    return found


def _blocks(model: CausalLM) -> list[_Block]:
    layers, plain = list(model.stack.layers), EmbeddingConfig()
    same = {"scaled": plain.scaled, "multiplier": plain.multiplier, "dropout": plain.dropout}
    if model.config.embedding.model_copy(update=same) != plain:
        _other("more than token vectors at its bottom")
    if model.stack.relative is not None:
        _other("relative positions")
    if not layers or len(layers) % 2:
        _other("blocks of other than two layers")
    pairs = zip(map(_around, layers[::2]), map(_around, layers[1::2]), strict=True)
    return [_Block(_mixer(one.layer), _mlp(two.layer), (one, two)) for one, two in pairs]


def _around(layer: nn.Module) -> _Around:
    if isinstance(layer, PreNorm):
        return _Around(_of(RMSNorm, layer.norm), layer.layer, None, layer.multiplier)
    inner = _of(InnerNorm, layer)
    before = None if isinstance(inner.norm, nn.Identity) else _of(RMSNorm, inner.norm)
    return _Around(before, inner.layer, _of(RMSNorm, inner.after_norm))


def _mixer(layer: nn.Module) -> Attention | GatedDelta:
    return layer if isinstance(layer, GatedDelta) else _of(Attention, layer)


def _mlp(layer: nn.Module) -> GatedMLP | Mixture:
    return layer if isinstance(layer, Mixture) else _of(GatedMLP, layer)


def _block_weights(block: _Block, rotaries: list[RotaryConfig]) -> BlockWeights:
    first, second = block.around
    mlps, routing = _mlps(block.mlp)
    return BlockWeights(
        mixer_norm=_gain(first.before),
        mixer_after=_gain(first.after),
        mlp_norm=_gain(second.before),
        mlp_after=_gain(second.after),
        mixer=_attention_weights(block.mixer, rotaries)
        if isinstance(block.mixer, Attention)
        else _recall_weights(block.mixer),
        mlps=[_mlp_weights(mlp) for mlp in mlps],
        routing=routing,
        residual=_one("multipliers of a block", (each.multiplier for each in block.around)),
        activation=mlps[0].kind,
    )


def _attention_weights(attention: Attention, rotaries: list[RotaryConfig]) -> AttentionWeights:
    config = attention.config
    normed = config.qk_norm is not None
    query, key, value = _inputs(attention, ("query", "key", "value"), FusedAttention)
    gate = None
    if config.gated:
        if query.bias is not None or config.head % TILE:
            _other("gates with biases, or of such heads")
        query, gate = query.by_turns(2, config.head)
    return AttentionWeights(
        query=query,
        key=key,
        value=value,
        output=_tiles(attention.output),
        query_norm=_gain(_of(RMSNorm, attention.query_norm)) if normed else None,
        key_norm=_gain(_of(RMSNorm, attention.key_norm)) if normed else None,
        looks=Looks(
            scale=config.head**-0.5 if config.scale is None else config.scale,
            cap=config.cap or 0.0,
            window=config.window or 0,
            turning=rotaries.index(config.rotary) if config.rotary else None,
            whole=config.qk_norm_whole,
        ),
        gate=gate,
    )


def _recall_weights(layer: GatedDelta) -> RecallWeights:
    rate, step, taps, bias, decay = (
        weight.detach().float().contiguous().numpy()
        for weight in (
            _of(nn.Linear, layer.rate).weight,
            _of(nn.Linear, layer.step).weight,
            layer.conv.weight[:, 0].T,
            layer.step_bias,
            layer.decay_log,
        )
    )
    return RecallWeights(
        sizes=layer.config.sizes,
        input=_tiles(layer.input),
        gate=_tiles(layer.gate),
        output=_tiles(layer.output),
        rate=rate,
        step=step,
        numbers=DeltaWeights(taps, bias, decay, _numbers(layer.norm)),
    )


def _mlps(layer: GatedMLP | Mixture) -> tuple[Sequence[GatedMLP], Routing | None]:
    """The MLP, or those of a mixture and what leads to them."""
    if isinstance(layer, Mixture):
        config, router = layer.config, layer.router.detach().float().contiguous().numpy()
        mlps = [_of(GatedMLP, expert) for expert in layer.experts]
        routing = Routing(router, config.chosen, config.normalised)
    else:
        mlps, routing = [layer], None
    if mlps[0].kind not in ACTIVATIONS:
        _other(f"{mlps[0].kind} in its MLPs")
    return mlps, routing


def _mlp_weights(mlp: GatedMLP) -> MLPWeights:
    gate, up = _inputs(mlp, ("gate", "up"), FusedMLP)
    return MLPWeights(gate, up, _tiles(mlp.down))


def _inputs(layer: nn.Module, names: tuple[str, ...], fused: type[nn.Module]) -> list[Tiles]:
    """The matrices of projections that read the same, whether or not they were joined."""
    if not isinstance(layer, fused):
        return [_tiles(layer.get_submodule(name)) for name in names]
    whole = _tiles(layer.get_submodule("fused"))
    return whole.split(getattr(layer, "sizes"))  # noqa: B009


def _tiles(linear: nn.Module) -> Tiles:
    return _of(NativeLinear, linear).tiles()


def _gain(norm: RMSNorm | None) -> np.ndarray | None:
    return None if norm is None else _numbers(norm)


def _numbers(norm: RMSNorm) -> np.ndarray:
    return norm.gain().detach().contiguous().numpy()


def _embedder(model: CausalLM) -> Callable[[np.ndarray], np.ndarray]:
    token, scale = model.embedding.token, model.config.embedding.scale(model.config.width)

    @torch.inference_mode()
    def embed(ids: np.ndarray) -> np.ndarray:
        rows = token(torch.from_numpy(ids)).float()
        found: np.ndarray = (rows if scale == 1 else rows * scale).numpy()
        return found

    return embed


def _of(kind: type[_Kind], module: object) -> _Kind:
    if not isinstance(module, kind):
        _other(f"{type(module).__name__} where {kind.__name__} is needed")
    return module


def _one(what: str, values: Iterable[_Value]) -> _Value:
    """The value that all have."""
    found = list(dict.fromkeys(values))
    if len(found) != 1:
        _other(f"several {what}")
    return found[0]


def _other(what: str) -> NoReturn:
    raise OtherPart(what)
