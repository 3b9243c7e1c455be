"""`lfm2`: gated short convolutions, some blocks with attention instead (Liquid AI 2025)."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert.family import TensorRule, decoder_family
from hornbook.models.convert.llama import mixer_of
from hornbook.models.convert.rotary import read_rotary, write_rotary
from hornbook.models.fields import Fields
from hornbook.models.presets import lfm2
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.mlp import GatedMLPConfig
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.residual import PreNormConfig
from hornbook.nn.short_conv import ShortConvConfig

_ATTENTION, _CONVOLUTION = "full_attention", "conv"


def read(fields: Fields) -> CausalLMConfig:
    """LFM2's keys; what they leave out is what `transformers` assumes."""
    fields.only("use_pos_enc", True)
    fields.only("block_use_swiglu", True)
    fields.ignore("*_use_xavier_init", "block_mlp_init_scale", "block_out_init_scale")
    width = fields.size("hidden_size")
    heads = fields.heads("num_attention_heads", "hidden_size", width, 32)
    for key in ("block_dim", "conv_dim", "conv_dim_out"):
        fields.only(key, width)
    fields.only("num_heads", heads)
    epsilon = fields.number("norm_eps", 1e-5)
    fields.only("block_norm_eps", epsilon)
    tied = fields.flag("tie_word_embeddings", True)
    depth = fields.depth("num_hidden_layers")
    sizes = DecoderSizes(
        vocab=fields.size("vocab_size"),
        width=width,
        depth=depth,
        context=fields.size("max_position_embeddings", 128_000),
        heads=heads,
        kv_heads=fields.size("num_key_value_heads", 8),
        head=fields.size("head_dim", width // heads),
        hidden=_hidden(fields),
        tied=fields.flag("tie_embedding", tied),
    )
    return lfm2(
        sizes,
        attention=_attention(fields, depth),
        rotary=read_rotary(fields, sizes, 1_000_000.0),
        epsilon=epsilon,
        kernel=fields.size("conv_L_cache", 3),
        biased=fields.flag("conv_bias", False),
    )


def _hidden(fields: Fields) -> int:
    """Channels of the MLP, which the file may leave to be computed."""
    hidden = fields.size("intermediate_size", 12288)
    hidden = fields.size("block_ff_dim", hidden)
    multiple = fields.size("block_multiple_of", 256)
    factor = fields.number("block_ffn_dim_multiplier", 1.0)
    if not fields.flag("block_auto_adjust_ff_dim", True):
        return hidden
    return -(-int(factor * int(2 * hidden / 3)) // multiple) * multiple


def _attention(fields: Fields, depth: int) -> tuple[int, ...]:
    """The blocks that have attention: named one by one, by their places, or all."""
    places = fields.sequence("full_attn_idxs", list(range(depth)))
    kinds = fields.sequence(
        "layer_types", [_ATTENTION if i in places else _CONVOLUTION for i in range(depth)]
    )
    if len(kinds) != depth or not set(kinds) <= {_ATTENTION, _CONVOLUTION}:
        fields.refuse("layer_types", kinds, f"It must name {depth} of conv and full_attention.")
    return tuple(i for i, kind in enumerate(kinds) if kind == _ATTENTION)


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in LFM2's keys, or None when it is wired otherwise."""
    blocks = config.stack.blocks()
    mixers = [mixer_of(block) for block in blocks]
    attention = [mixer for mixer in mixers if isinstance(mixer, AttentionConfig)]
    convolution = [mixer for mixer in mixers if isinstance(mixer, ShortConvConfig)]
    match blocks[0]:
        case (_, PreNormConfig(layer=GatedMLPConfig() as mlp)):
            norm = config.stack.norm
        case _:
            return None
    if len(attention) + len(convolution) < len(blocks) or not convolution:
        return None
    if not isinstance(norm, RMSNormConfig) or any(not mixer.rotary for mixer in attention):
        return None
    keys: dict[str, Any] = {
        "vocab_size": config.vocab,
        "hidden_size": config.width,
        "num_hidden_layers": len(blocks),
        "max_position_embeddings": config.context,
        "intermediate_size": mlp.hidden,
        "block_auto_adjust_ff_dim": False,
        "norm_eps": norm.epsilon,
        "conv_L_cache": convolution[0].kernel,
        "conv_bias": convolution[0].bias,
        "layer_types": [_ATTENTION if mixer in attention else _CONVOLUTION for mixer in mixers],
        "tie_word_embeddings": config.tied,
    }
    if not attention:
        # The keys must be there, and any heads that divide the width will do. The cache of
        # `transformers` 5 fails without attention.
        heads = {"num_attention_heads": 1, "num_key_value_heads": 1}
        return {**keys, **heads, "use_cache": False}
    first = attention[0]
    assert first.rotary is not None
    return {
        **keys,
        "num_attention_heads": first.heads,
        "num_key_value_heads": first.kv_heads,
        "head_dim": first.head,
        **write_rotary(first.rotary, first.head),
    }


_BLOCK, _MIXER, _MLP = "model.layers.{block}", "stack.layers.{0}", "stack.layers.{1}"
RULES = (
    TensorRule("model.embed_tokens.weight", ("embedding.token.weight",)),
    TensorRule(f"{_BLOCK}.operator_norm.weight", (f"{_MIXER}.norm.weight",)),
    *(
        TensorRule(f"{_BLOCK}.{theirs}", (f"{_MIXER}.layer.{ours}",))
        for theirs, ours in (
            ("self_attn.q_proj.weight", "query.weight"),
            ("self_attn.k_proj.weight", "key.weight"),
            ("self_attn.v_proj.weight", "value.weight"),
            ("self_attn.q_layernorm.weight", "query_norm.weight"),
            ("self_attn.k_layernorm.weight", "key_norm.weight"),
            ("conv.in_proj.weight", "input.weight"),
            ("conv.in_proj.bias", "input.bias"),
            ("conv.conv.weight", "conv.weight"),
            ("conv.conv.bias", "conv.bias"),
            ("conv.out_proj.bias", "output.bias"),
        )
    ),
    # Both mixers call their last matrix `output`; what stands beside it tells them apart.
    *(
        TensorRule(
            f"{_BLOCK}.{theirs}", (f"{_MIXER}.layer.output.weight",), beside=f"{_MIXER}.{ours}"
        )
        for theirs, ours in (
            ("self_attn.out_proj.weight", "layer.query.weight"),
            ("conv.out_proj.weight", "layer.input.weight"),
        )
    ),
    TensorRule(f"{_BLOCK}.ffn_norm.weight", (f"{_MLP}.norm.weight",)),
    TensorRule(f"{_BLOCK}.feed_forward.w1.weight", (f"{_MLP}.layer.gate.weight",)),
    TensorRule(f"{_BLOCK}.feed_forward.w3.weight", (f"{_MLP}.layer.up.weight",)),
    TensorRule(f"{_BLOCK}.feed_forward.w2.weight", (f"{_MLP}.layer.down.weight",)),
    TensorRule("model.embedding_norm.weight", ("stack.norm.weight",)),
    TensorRule("lm_head.weight", ("head.weight",)),
)

FAMILY = decoder_family("lfm2", "Lfm2ForCausalLM", read, write, RULES)
