"""`qwen3`, our default: Llama with normalised queries and keys (Qwen3 report, 2025)."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama
from hornbook.models.convert.family import decoder_family
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.fields import Fields
from hornbook.models.presets import qwen3


def read(fields: Fields) -> CausalLMConfig:
    """Qwen3's keys; what they leave out is what `transformers` assumes."""
    read_window(fields)
    width, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    sizes = llama.read_sizes(fields, width, heads, head=128)
    fields.only("layer_types", ["full_attention"] * sizes.depth)
    return qwen3(sizes, **llama.read_variant(fields, sizes))


def read_window(fields: Fields) -> None:
    """Take Qwen's keys of a sliding window, which must be off."""
    fields.only("use_sliding_window", False)
    # Sizes of the window that the line above says is not used.
    fields.ignore("sliding_window", "max_window_layers")


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Qwen3's keys, or None when it is wired otherwise."""
    keys = llama.write(config)
    return keys and {
        **keys,
        "use_sliding_window": False,
        "sliding_window": None,
        "max_window_layers": config.stack.depth,
        "layer_types": ["full_attention"] * config.stack.depth,
    }


FAMILY = decoder_family("qwen3", "Qwen3ForCausalLM", read, write, llama.RULES)
CLASSIFIER = decoder_classifier(FAMILY, "Qwen3ForSequenceClassification")
