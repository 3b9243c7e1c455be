"""`phi3`, of Phi-3, 3.5, 4 and 4-mini: Llama with joint projections (Phi-3 report, 2024)."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama
from hornbook.models.convert.family import ACTIVATIONS, TensorRule, decoder_family
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.convert.rotary import long_amplitude, read_rotary
from hornbook.models.fields import Fields
from hornbook.models.variants import phi3
from hornbook.nn.frequencies import LongScaling


def read(fields: Fields) -> CausalLMConfig:
    """Phi-3's keys; what they leave out is what `transformers` assumes."""
    for key in ("attention_bias", "mlp_bias", "lm_head_bias"):
        fields.only(key, False)
    width, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    sizes = llama.read_sizes(fields, width, heads, width // heads)
    # Where a scaling begins, which most files say.
    fields.assume("original_max_position_embeddings", 4096)
    window = fields.size("sliding_window") if fields.has("sliding_window") else None
    return phi3(
        sizes,
        window,
        rotary=read_rotary(fields, sizes, partly=True),
        epsilon=fields.number("rms_norm_eps", 1e-5),
        activation=fields.choice("hidden_act", "silu", ACTIVATIONS),
    )


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Phi-3's keys, or None when it is wired otherwise."""
    keys, parts = llama.write(config), llama.parts_of(config)
    if keys is None or parts is None:
        return None
    kept = {key: value for key, value in keys.items() if key != "attention_bias"}
    kept["sliding_window"] = parts.attention.window
    if (share := keys["rope_parameters"].get("partial_rotary_factor")) is not None:
        kept["partial_rotary_factor"] = share  # where version 4 of `transformers` reads it
    match parts.rotary.scaling:
        case LongScaling() as scaling:
            original = scaling.original
            kept["original_max_position_embeddings"] = original
            if scaling.attention == long_amplitude(config.context / original, original):
                # Version 4 takes these keys and no others.
                lists = {"short_factor": scaling.short, "long_factor": scaling.long}
                kept["rope_scaling"] = {
                    "type": "longrope", **{key: list(each) for key, each in lists.items()}
                }  # fmt: skip
    return kept


_BLOCK, _MIXER, _MLP = "model.layers.{block}", "stack.layers.{0}", "stack.layers.{1}"
RULES = (
    *(rule for rule in llama.RULES if "_proj" not in rule.theirs),
    *(
        TensorRule(
            f"{_BLOCK}.{theirs}.weight", tuple(f"{place}.layer.{our}.weight" for our in ours)
        )
        for theirs, place, ours in (
            ("self_attn.qkv_proj", _MIXER, ("query", "key", "value")),
            ("self_attn.o_proj", _MIXER, ("output",)),
            ("mlp.gate_up_proj", _MLP, ("gate", "up")),
            ("mlp.down_proj", _MLP, ("down",)),
        )
    ),
)

FAMILY = decoder_family("phi3", "Phi3ForCausalLM", read, write, RULES)
CLASSIFIER = decoder_classifier(FAMILY, "Phi3ForSequenceClassification")
