"""`gpt2`: LayerNorm, learned positions, biases everywhere (Radford et al. 2019).

Its matrices are stored as (inputs, outputs), and queries, keys and values are one matrix.
"""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert.family import ACTIVATIONS, Family, TensorRule, activation_name
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.fields import Fields
from hornbook.models.presets import gpt2
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.mlp import MLPConfig
from hornbook.nn.norm import LayerNormConfig
from hornbook.nn.residual import PreNormConfig


def read(fields: Fields) -> CausalLMConfig:
    """GPT-2's keys; what they leave out is what `transformers` assumes."""
    fields.only("scale_attn_weights", True)
    fields.only("scale_attn_by_inverse_layer_idx", False)
    fields.only("add_cross_attention", False)
    # The upcast is for 16-bit training; the summary head belongs to another class.
    fields.ignore("reorder_and_upcast_attn", "summary_*")
    width = fields.size("n_embd")
    heads = fields.heads("n_head", "n_embd", width)
    context = fields.size("n_positions")
    fields.only("n_ctx", context)
    sizes = DecoderSizes(
        vocab=fields.size("vocab_size"),
        width=width,
        depth=fields.depth("n_layer"),
        context=context,
        heads=heads,
        kv_heads=heads,
        head=width // heads,
        hidden=fields.size("n_inner", 4 * width),
        tied=fields.flag("tie_word_embeddings", True),
    )
    return gpt2(
        sizes,
        epsilon=fields.number("layer_norm_epsilon", 1e-5),
        activation=fields.choice("activation_function", "gelu_new", ACTIVATIONS),
    )


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in GPT-2's keys, or None when it is wired otherwise."""
    match config.stack.pattern:
        case ((PreNormConfig(layer=AttentionConfig() as attention), PreNormConfig(layer=mlp)),):
            norm = config.stack.norm
        case _:
            return None
    if not isinstance(norm, LayerNormConfig) or not isinstance(mlp, MLPConfig):
        return None
    return {
        "vocab_size": config.vocab,
        "n_embd": config.width,
        "n_layer": config.stack.depth,
        "n_positions": config.context,
        "n_ctx": config.context,  # llama.cpp's converter asks for it
        "n_head": attention.heads,
        "n_inner": mlp.hidden,
        "tie_word_embeddings": config.tied,
        "activation_function": activation_name(mlp.activation),
        "layer_norm_epsilon": norm.epsilon,
    }


_MIXER, _MLP = "stack.layers.{0}", "stack.layers.{1}"


def _rules(theirs: str, *ours: str, matrix: bool = True) -> tuple[TensorRule, TensorRule]:
    """Weight and bias of one of their modules."""
    weights, biases = (tuple(f"{name}.{kind}" for name in ours) for kind in ("weight", "bias"))
    return TensorRule(f"{theirs}.weight", weights, matrix), TensorRule(f"{theirs}.bias", biases)


_BLOCK = "transformer.h.{block}"
_INPUTS = tuple(f"{_MIXER}.layer.{name}" for name in ("query", "key", "value"))
RULES = (
    TensorRule("transformer.wte.weight", ("embedding.token.weight",)),
    TensorRule("transformer.wpe.weight", ("embedding.position.weight",)),
    *_rules(f"{_BLOCK}.ln_1", f"{_MIXER}.norm", matrix=False),
    *_rules(f"{_BLOCK}.attn.c_attn", *_INPUTS),
    *_rules(f"{_BLOCK}.attn.c_proj", f"{_MIXER}.layer.output"),
    *_rules(f"{_BLOCK}.ln_2", f"{_MLP}.norm", matrix=False),
    *_rules(f"{_BLOCK}.mlp.c_fc", f"{_MLP}.layer.up"),
    *_rules(f"{_BLOCK}.mlp.c_proj", f"{_MLP}.layer.down"),
    *_rules("transformer.ln_f", "stack.norm", matrix=False),
    TensorRule("lm_head.weight", ("head.weight",)),
)

FAMILY = Family(
    model_type="gpt2",
    architecture="GPT2LMHeadModel",
    config=CausalLMConfig,
    read=read,
    write=write,
    rules=RULES,
    base="transformer.",
    copies={"lm_head.weight": "transformer.wte.weight"},
    # Causal masks that old versions stored.
    obsolete=("*h.*.attn.bias", "*h.*.attn.masked_bias"),
)
CLASSIFIER = decoder_classifier(FAMILY, "GPT2ForSequenceClassification")
