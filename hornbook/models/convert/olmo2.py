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
    width = fields.size("hidden_size", 4096)
    heads = fields.heads("num_attention_heads", "hidden_size", width, 32)
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
        for theirs, ours in llama.ATTENTION
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
