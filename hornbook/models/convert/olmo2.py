"""`olmo2`: norms behind the layers, and over all heads of queries and keys (OLMo 2, 2025)."""

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama
from hornbook.models.convert.family import ACTIVATIONS, TensorRule, decoder_family
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.convert.rotary import read_rotary
from hornbook.models.fields import Fields
from hornbook.models.variants import olmo2


def read(fields: Fields) -> CausalLMConfig:
    """OLMo 2's keys; what they leave out is what `transformers` assumes."""
    width, heads = fields.size("hidden_size", 4096), fields.size("num_attention_heads", 32)
    sizes = llama.read_sizes(fields, width, heads, width // heads)
    return olmo2(
        sizes,
        rotary=read_rotary(fields, sizes),
        epsilon=fields.number("rms_norm_eps", 1e-5),
        biased=fields.flag("attention_bias", False),
        activation=fields.choice("hidden_act", "silu", ACTIVATIONS),
    )


_BLOCK, _MIXER, _MLP = "model.layers.{block}", "stack.layers.{0}", "stack.layers.{1}"
RULES = (
    TensorRule("model.embed_tokens.weight", ("embedding.token.weight",)),
    *(
        TensorRule(f"{_BLOCK}.self_attn.{theirs}", (f"{_MIXER}.normed.{ours}",))
        for theirs, ours in (
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
    ),
    TensorRule(f"{_BLOCK}.post_attention_layernorm.weight", (f"{_MIXER}.after_norm.weight",)),
    *(
        TensorRule(f"{_BLOCK}.mlp.{ours}_proj.weight", (f"{_MLP}.normed.{ours}.weight",))
        for ours in ("gate", "up", "down")
    ),
    TensorRule(f"{_BLOCK}.post_feedforward_layernorm.weight", (f"{_MLP}.after_norm.weight",)),
    TensorRule("model.norm.weight", ("stack.norm.weight",)),
    TensorRule("lm_head.weight", ("head.weight",)),
)


FAMILY = decoder_family("olmo2", "Olmo2ForCausalLM", read, llama.write, RULES)
CLASSIFIER = decoder_classifier(FAMILY, "Olmo2ForSequenceClassification")
