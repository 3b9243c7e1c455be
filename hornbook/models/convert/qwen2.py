"""`qwen2`: Llama with biases on queries, keys and values only (Qwen2 report, 2024)."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama, qwen3
from hornbook.models.convert.family import decoder_family
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.fields import Fields
from hornbook.models.presets import qwen2


def read(fields: Fields) -> CausalLMConfig:
    """Qwen2's keys; what they leave out is what `transformers` assumes."""
    qwen3.read_window(fields)
    # The biases are the architecture's: a file cannot turn them off.
    fields.only("attention_bias", True)
    width = fields.size("hidden_size")
    heads = fields.heads("num_attention_heads", "hidden_size", width)
    sizes = llama.read_sizes(fields, width, heads, width // heads)
    fields.only("layer_types", ["full_attention"] * sizes.depth)
    variant = llama.read_variant(fields, sizes)
    return qwen2(sizes, variant["rotary"], variant["epsilon"], variant["activation"])


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Qwen2's keys, or None when it is wired otherwise."""
    keys = qwen3.write(config)
    return keys and {key: value for key, value in keys.items() if key != "attention_bias"}


FAMILY = decoder_family(
    "qwen2", "Qwen2ForCausalLM", read, write, llama.RULES, obsolete=("*.rotary_emb.inv_freq",)
)
CLASSIFIER = decoder_classifier(FAMILY, "Qwen2ForSequenceClassification")
