"""`granite`: Llama with multipliers (Granite 3, 2024)."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama
from hornbook.models.convert.family import decoder_family
from hornbook.models.convert.rotary import read_rotary
from hornbook.models.fields import Fields
from hornbook.models.variants import granite
from hornbook.nn.residual import PreNormConfig


def read(fields: Fields) -> CausalLMConfig:
    """Granite's keys; what they leave out is what `transformers` assumes."""
    fields.only("mlp_bias", False)
    fields.only("hidden_act", "silu")
    width, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    sizes = llama.read_sizes(fields, width, heads, width // heads)
    return granite(
        sizes,
        rotary=read_rotary(fields, sizes),
        epsilon=fields.number("rms_norm_eps", 1e-6),
        biased=fields.flag("attention_bias", False),
        embedding=fields.number("embedding_multiplier", 1.0),
        residual=fields.number("residual_multiplier", 1.0),
        scale=fields.number("attention_multiplier", 1.0),
        logits=fields.number("logits_scaling", 1.0),
    )


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Granite's keys, or None when it is wired otherwise."""
    keys, parts = llama.write(config), llama.parts_of(config)
    match config.stack.pattern[0][0]:
        case PreNormConfig(multiplier=multiplier):
            pass
        case _:
            return None
    if keys is None or parts is None or parts.attention.scale is None:
        return None
    return {
        **keys,
        "embedding_multiplier": config.embedding.multiplier,
        "residual_multiplier": multiplier,
        "attention_multiplier": parts.attention.scale,
        "logits_scaling": 1 / config.multiplier,
    }


FAMILY = decoder_family("granite", "GraniteForCausalLM", read, write, llama.RULES)
