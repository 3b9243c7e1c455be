"""`smollm3`: Llama with blocks that know no positions (SmolLM3, 2025)."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama
from hornbook.models.convert.family import ACTIVATIONS, decoder_family
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.convert.rotary import read_rotary
from hornbook.models.fields import Fields
from hornbook.models.variants import smollm3


def read(fields: Fields) -> CausalLMConfig:
    """SmolLM3's keys; what they leave out is what `transformers` assumes."""
    fields.only("mlp_bias", False)
    fields.only("use_sliding_window", False)
    # Of the window that the line above says is not used, and constants of training.
    fields.ignore("sliding_window", "max_window_layers")
    fields.assume("tie_word_embeddings", True)
    fields.assume("num_key_value_heads", 4)
    width, heads = fields.size("hidden_size", 2048), fields.size("num_attention_heads", 16)
    sizes = llama.read_sizes(fields, width, heads, width // heads)
    fields.only("layer_types", ["full_attention"] * sizes.depth)
    return smollm3(
        sizes,
        without=_without(fields, sizes.depth),
        rotary=read_rotary(fields, sizes, 2_000_000.0),
        epsilon=fields.number("rms_norm_eps", 1e-6),
        biased=fields.flag("attention_bias", False),
        activation=fields.choice("hidden_act", "silu", ACTIVATIONS),
    )


def _without(fields: Fields, depth: int) -> tuple[int, ...]:
    """The blocks without positions: a 0 in the list that the file may have, or every so many."""
    every = fields.size("no_rope_layer_interval", 4)
    turned = fields.sequence("no_rope_layers", [int((i + 1) % every != 0) for i in range(depth)])
    if len(turned) < depth or not set(turned) <= {0, 1}:
        fields.refuse("no_rope_layers", turned, f"It must have {depth} of 0 and 1.")
    return tuple(i for i in range(depth) if not turned[i])


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in SmolLM3's keys, or None when it is wired otherwise."""
    keys, attentions = llama.write(config), map(llama.attention_of, config.stack.blocks())
    turned = [int(each is not None and each.rotary is not None) for each in attentions]
    return keys and {
        **keys,
        "no_rope_layers": turned,
        "layer_types": ["full_attention"] * config.stack.depth,
        "use_sliding_window": False,
    }


FAMILY = decoder_family("smollm3", "SmolLM3ForCausalLM", read, write, llama.RULES)
CLASSIFIER = decoder_classifier(FAMILY, "SmolLM3ForSequenceClassification")
