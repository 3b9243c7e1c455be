"""`mistral`: Llama whose attention sees a window of tokens (Jiang et al. 2023)."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama
from hornbook.models.convert.family import ACTIVATIONS, decoder_family
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.convert.rotary import read_rotary
from hornbook.models.fields import Fields
from hornbook.models.presets import llama as whole
from hornbook.models.variants import mistral

_WINDOW = 4096


def read(fields: Fields) -> CausalLMConfig:
    """Mistral's keys; what they leave out is what `transformers` assumes. A window that is null
    is none, and the model is a Llama."""
    width, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    sizes = llama.read_sizes(fields, width, heads, width // heads)
    window = None if fields.null("sliding_window") else fields.size("sliding_window", _WINDOW)
    rotary = read_rotary(fields, sizes)
    epsilon = fields.number("rms_norm_eps", 1e-6)
    activation = fields.choice("hidden_act", "silu", ACTIVATIONS)
    if window is None:
        return whole(sizes, rotary, epsilon, activation=activation)
    return mistral(sizes, window, rotary, epsilon, activation)


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Mistral's keys, or None when it is wired otherwise."""
    keys, parts = llama.write(config), llama.parts_of(config)
    if keys is None or parts is None:
        return None
    kept = {key: value for key, value in keys.items() if key != "attention_bias"}
    return {**kept, "sliding_window": parts.attention.window}


FAMILY = decoder_family(
    "mistral", "MistralForCausalLM", read, write, llama.RULES, obsolete=("*.rotary_emb.inv_freq",)
)
CLASSIFIER = decoder_classifier(FAMILY, "MistralForSequenceClassification")
