"""`t5` and `mt5`: the encoder-decoder with relative positions (Raffel et al. 2020), version 1.1 and
FLAN too.

Position tables lie in the first block of each side there. Of files of the first release, a table of
the decoder's first look at the memory was never read.
"""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from hornbook.models.convert.family import ACTIVATIONS, Family, TensorRule, activation_name
from hornbook.models.fields import Fields
from hornbook.models.seq2seq import Seq2SeqConfig
from hornbook.models.translators import PairSizes, SideSizes, T5Shape, t5
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.mlp import GatedMLPConfig, MLPConfig
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.residual import PreNormConfig

_GATED = "gated-"
_KINDS = {**ACTIVATIONS, **{f"{_GATED}{name}": ours for name, ours in ACTIVATIONS.items()}}
_KINDS[f"{_GATED}gelu"] = "gelu_tanh"  # its authors' GELU
_CONTEXT = 512
"""Tokens that it was trained on; relative positions have no end."""


class _Usual(NamedTuple):
    """What `transformers` assumes of a `model_type` where keys are left out."""

    vocab: int
    heads: int
    depth: int
    hidden: int
    kind: str
    tied: bool


def _read(usual: _Usual, fields: Fields) -> Seq2SeqConfig:
    """T5's keys."""
    fields.only("is_encoder_decoder", True)
    fields.only("is_decoder", False)
    # How weights began, sizes said twice, a classifier's dropout, what was trained.
    fields.ignore("initializer_factor", "gradient_checkpointing", "output_past", "num_beams")
    fields.ignore("dense_act_fn", "is_gated_act", "classifier_dropout", "n_layers")
    written = fields.taken("feed_forward_proj").get("feed_forward_proj", usual.kind)
    kind = Fields({"feed_forward_proj": written}, fields.where)
    activation = kind.choice("feed_forward_proj", usual.kind, _KINDS)
    # Version 5 of `transformers` says of every head that it is tied; mT5's never are.
    tied = fields.flag("tie_word_embeddings", usual.tied) and usual.tied
    tied = fields.flag("scale_decoder_outputs", tied)
    vocab = fields.size("vocab_size", usual.vocab)
    heads = fields.size("num_heads", usual.heads)
    depth, hidden = fields.depth("num_layers", usual.depth), fields.size("d_ff", usual.hidden)
    sizes = PairSizes(
        vocab=vocab,
        width=fields.size("d_model", 512),
        context=fields.size("n_positions", _CONTEXT),
        encoder=SideSizes(depth=depth, heads=heads, hidden=hidden),
        decoder=SideSizes(
            depth=fields.depth("num_decoder_layers", depth), heads=heads, hidden=hidden
        ),
        start=fields.token("decoder_start_token_id", vocab, 0),
        dropout=fields.share("dropout_rate", 0.1),
    )
    shape = T5Shape(
        head=fields.size("d_kv", 64),
        buckets=fields.size("relative_attention_num_buckets", 32),
        distance=fields.size("relative_attention_max_distance", 128),
        activation=activation,
        gated=str(written).startswith(_GATED),
        tied=tied,
        epsilon=fields.number("layer_norm_epsilon", 1e-6),
    )
    return t5(sizes, shape)


def write(config: Seq2SeqConfig) -> dict[str, Any] | None:
    """Our config in T5's keys, or None when it is wired otherwise."""
    layers = [one.layer for one in config.encoder.pattern[0] if isinstance(one, PreNormConfig)]
    relative, norm = config.encoder.relative, config.encoder.norm
    match layers:
        case [AttentionConfig() as attention, (MLPConfig() | GatedMLPConfig()) as mlp]:
            gated = isinstance(mlp, GatedMLPConfig)
        case _:
            return None
    if relative is None or not isinstance(norm, RMSNormConfig):
        return None
    name = activation_name(mlp.activation)
    kind = f"{_GATED}{'gelu' if name == 'gelu_new' else name}" if gated else name
    return {
        "is_encoder_decoder": True,
        "vocab_size": config.vocab,
        "d_model": config.width,
        "n_positions": config.context,
        "d_kv": attention.head,
        "d_ff": mlp.hidden,
        "num_heads": attention.heads,
        "num_layers": config.encoder.depth,
        "num_decoder_layers": config.decoder.depth,
        "relative_attention_num_buckets": relative.buckets,
        "relative_attention_max_distance": relative.distance,
        "feed_forward_proj": kind,
        "layer_norm_epsilon": norm.epsilon,
        "dropout_rate": config.embedding.dropout,
        "tie_word_embeddings": config.tied,
        "decoder_start_token_id": config.start,
    }


_PROJECTIONS = (("q", "query"), ("k", "key"), ("v", "value"), ("o", "output"))


def _side(name: str, mixers: tuple[str, ...]) -> tuple[TensorRule, ...]:
    """The rules of a stack whose blocks hold attentions, by their names, and an MLP."""
    block = f"{name}.block.{{block}}.layer"
    places = [f"{name}.layers.{{{i}}}" for i in range(len(mixers) + 1)]
    mlp, last = f"{block}.{len(mixers)}.DenseReluDense", places[-1]
    gate, up = f"{last}.layer.gate.weight", f"{last}.layer.up.weight"
    table = f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias"
    return (
        _weight(table, f"{name}.relative.table"),
        *(
            _weight(f"{block}.{i}.{mixer}.{theirs}", f"{places[i]}.layer.{ours}")
            for i, mixer in enumerate(mixers)
            for theirs, ours in _PROJECTIONS
        ),
        *(_weight(f"{block}.{i}.layer_norm", f"{place}.norm") for i, place in enumerate(places)),
        TensorRule(f"{mlp}.wi_0.weight", (gate,)),
        TensorRule(f"{mlp}.wi_1.weight", (up,), beside=gate),
        TensorRule(f"{mlp}.wi.weight", (up,), without=gate),
        _weight(f"{mlp}.wo", f"{last}.layer.down"),
        _weight(f"{name}.final_layer_norm", f"{name}.norm"),
    )


def _weight(theirs: str, ours: str) -> TensorRule:
    return TensorRule(f"{theirs}.weight", (f"{ours}.weight",))


_SHARED = "shared.weight"

FAMILY = Family(
    model_type="t5",
    architecture="T5ForConditionalGeneration",
    config=Seq2SeqConfig,
    read=partial(_read, _Usual(32128, 8, 6, 2048, "relu", tied=True)),
    write=write,
    rules=(
        TensorRule(_SHARED, ("embedding.token.weight",)),
        *_side("encoder", ("SelfAttention",)),
        *_side("decoder", ("SelfAttention", "EncDecAttention")),
        TensorRule("lm_head.weight", ("head.weight",)),
    ),
    base="",
    copies=dict.fromkeys(
        ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"), _SHARED
    ),
    obsolete=("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",),
)
MT5 = replace(
    FAMILY,
    model_type="mt5",
    architecture="MT5ForConditionalGeneration",
    read=partial(_read, _Usual(250112, 6, 8, 1024, "gated-gelu", tied=False)),
)
"""The same for a hundred languages (Xue et al. 2021); written as `t5`, which computes the same."""
