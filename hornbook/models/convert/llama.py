"""`llama`: RMSNorm, rotary attention, SwiGLU (Touvron et al. 2023)."""

from typing import Any, NamedTuple

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert.family import ACTIVATIONS, TensorRule, activation_name, decoder_family
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.convert.rotary import read_rotary, write_rotary
from hornbook.models.fields import Fields
from hornbook.models.presets import llama
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.contract import AnyLayer
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.mlp import GatedMLPConfig
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.residual import PreNormConfig, ResidualConfig
from hornbook.nn.stack import Block


def read(fields: Fields) -> CausalLMConfig:
    """Llama's keys; what they leave out is what `transformers` assumes."""
    fields.only("mlp_bias", False)
    fields.only("rope_interleaved", False)
    fields.ignore("is_llama_config")
    width = fields.size("hidden_size")
    heads = fields.heads("num_attention_heads", "hidden_size", width)
    sizes = read_sizes(fields, width, heads, width // heads)
    return llama(sizes, **read_variant(fields, sizes))


def read_sizes(fields: Fields, width: int, heads: int, head: int) -> DecoderSizes:
    """The sizes of a Llama-like family. head: channels of a head when the file does not say."""
    return DecoderSizes(
        vocab=fields.size("vocab_size"),
        width=width,
        depth=fields.depth("num_hidden_layers"),
        context=fields.size("max_position_embeddings"),
        heads=heads,
        kv_heads=fields.size("num_key_value_heads", heads),
        head=fields.size("head_dim", head),
        hidden=fields.size("intermediate_size"),
        tied=fields.flag("tie_word_embeddings", False),
    )


def read_variant(fields: Fields, sizes: DecoderSizes) -> dict[str, Any]:
    """What else the presets of the Llama-like families take."""
    return {
        "rotary": read_rotary(fields, sizes),
        "epsilon": fields.number("rms_norm_eps", 1e-6),
        "biased": fields.flag("attention_bias", False),
        "activation": fields.choice("hidden_act", "silu", ACTIVATIONS),
    }


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in the keys of the Llama-like families, or None when it is wired otherwise.

    Says nothing of a normalisation of queries and keys: the family does.
    """
    parts = parts_of(config)
    if parts is None:
        return None
    attention, mlp, norm, rotary = parts
    return {
        "vocab_size": config.vocab,
        "hidden_size": config.width,
        "num_hidden_layers": config.stack.depth,
        "max_position_embeddings": config.context,
        "num_attention_heads": attention.heads,
        "num_key_value_heads": attention.kv_heads,
        "head_dim": attention.head,
        "intermediate_size": mlp.hidden,
        "tie_word_embeddings": config.tied,
        "hidden_act": activation_name(mlp.activation),
        "rms_norm_eps": norm.epsilon,
        "attention_bias": attention.bias.inputs,
        **write_rotary(rotary, attention.head),
    }


class DecoderParts(NamedTuple):
    """Of the first block, and of the first that has rotary positions."""

    attention: AttentionConfig
    mlp: GatedMLPConfig
    norm: RMSNormConfig
    rotary: RotaryConfig


def parts_of(config: CausalLMConfig) -> DecoderParts | None:
    """What a decoder of attentions and gated MLPs is made of, or None when it is none."""
    blocks, norm = config.stack.blocks(), config.stack.norm
    rotaries = [attention.rotary for block in blocks if (attention := attention_of(block))]
    rotary = next(filter(None, rotaries), None)
    match blocks[0]:
        case (ResidualConfig(layer=AttentionConfig() as attention), ResidualConfig(layer=mlp)):
            pass
        case _:
            return None
    if not isinstance(norm, RMSNormConfig) or not isinstance(mlp, GatedMLPConfig) or not rotary:
        return None
    return DecoderParts(attention, mlp, norm, rotary)


def attention_of(block: Block) -> AttentionConfig | None:
    """The attention of a block that begins with one."""
    match block[0]:
        case ResidualConfig(layer=AttentionConfig() as attention):
            return attention
    return None


def mixer_of(block: Block) -> AnyLayer | None:
    """The mixer of a block of two layers, each behind a norm."""
    match block:
        case (PreNormConfig(layer=mixer), PreNormConfig()):
            return mixer
    return None


ATTENTION = (
    ("q_proj.weight", "query.weight"),
    ("q_proj.bias", "query.bias"),
    ("k_proj.weight", "key.weight"),
    ("k_proj.bias", "key.bias"),
    ("v_proj.weight", "value.weight"),
    ("v_proj.bias", "value.bias"),
    ("o_proj.weight", "output.weight"),
    ("o_proj.bias", "output.bias"),
    ("q_norm.weight", "query_norm.weight"),
    ("k_norm.weight", "key_norm.weight"),
)
"""Their names in an attention to ours."""
_MIXER, _MLP = "stack.layers.{0}", "stack.layers.{1}"
RULES = (
    TensorRule("model.embed_tokens.weight", ("embedding.token.weight",)),
    TensorRule("model.layers.{block}.input_layernorm.weight", (f"{_MIXER}.norm.weight",)),
    *(
        TensorRule(f"model.layers.{{block}}.self_attn.{theirs}", (f"{_MIXER}.layer.{ours}",))
        for theirs, ours in ATTENTION
    ),
    TensorRule("model.layers.{block}.post_attention_layernorm.weight", (f"{_MLP}.norm.weight",)),
    TensorRule("model.layers.{block}.mlp.gate_proj.weight", (f"{_MLP}.layer.gate.weight",)),
    TensorRule("model.layers.{block}.mlp.up_proj.weight", (f"{_MLP}.layer.up.weight",)),
    TensorRule("model.layers.{block}.mlp.down_proj.weight", (f"{_MLP}.layer.down.weight",)),
    TensorRule("model.norm.weight", ("stack.norm.weight",)),
    TensorRule("lm_head.weight", ("head.weight",)),
)
FAMILY = decoder_family(
    "llama", "LlamaForCausalLM", read, write, RULES, obsolete=("*.rotary_emb.inv_freq",)
)
CLASSIFIER = decoder_classifier(FAMILY, "LlamaForSequenceClassification")
