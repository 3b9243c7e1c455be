"""The keys of `qwen3moe` and `qwen35` in a GGUF file, as our config and back.

Keys are those of llama.cpp. One that is not known here is refused: it may change what is computed.
"""

from typing import Any

from hornbook.core.gguf import GGUFFile
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.fields import Fields
from hornbook.models.gguf.sizes import read_sizes
from hornbook.models.presets import qwen3_5
from hornbook.nn.delta import GatedDeltaConfig
from hornbook.nn.frequencies import RotaryConfig

_ATTENTION = "full_attention"


def write_moe(fields: Fields, head: int) -> dict[str, Any]:
    """What `qwen3` has not."""
    fields.only("norm_topk_prob", True)
    return {
        "expert_count": fields.size("num_experts"),
        "expert_used_count": fields.size("num_experts_per_tok"),
        "expert_feed_forward_length": fields.size("moe_intermediate_size"),
    }


def read_hybrid(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    """Attention stands in every so many blocks. Positions of text are one number, of images three:
    which pairs of channels belong to which is said by what is left out here."""
    fields.ignore(f"{name}.rope.dimension_sections")
    fields.only(f"{name}.nextn_predict_layers", 0)
    fields.only(f"{name}.rope.scaling.type", "none")
    sizes = read_sizes(fields, name, vocab, file.tensors)
    epsilon = fields.number(f"{name}.attention.layer_norm_rms_epsilon")
    heads, inner = fields.size(f"{name}.ssm.time_step_rank"), fields.size(f"{name}.ssm.inner_size")
    if inner % heads:
        fields.refuse(f"{name}.ssm.inner_size", inner, f"It must divide into {heads} heads.")
    mixer = GatedDeltaConfig(
        heads=heads,
        head=inner // heads,
        key_heads=fields.size(f"{name}.ssm.group_count"),
        key=fields.size(f"{name}.ssm.state_size"),
        kernel=fields.size(f"{name}.ssm.conv_kernel"),
        epsilon=epsilon,
    )
    every = fields.size(f"{name}.full_attention_interval", 4)
    turning = fields.size(f"{name}.rope.dimension_count", sizes.head)
    theta = fields.number(f"{name}.rope.freq_base", 10_000.0)
    return qwen3_5(
        sizes,
        attention=range(every - 1, sizes.depth, every),
        mixer=mixer,
        rotary=RotaryConfig(theta=theta, channels=turning if turning != sizes.head else None),
        epsilon=epsilon,
    )


def write_hybrid(fields: Fields, head: int) -> dict[str, Any]:
    """What `qwen3` has not, or has otherwise."""
    fields.only("attention_bias", False)
    kinds = fields.sequence("layer_types", [])
    every = kinds.index(_ATTENTION) + 1 if _ATTENTION in kinds else 1
    if every < 2 or any(
        (kind == _ATTENTION) == bool((i + 1) % every) for i, kind in enumerate(kinds)
    ):
        fields.refuse(
            "layer_types", kinds, "Attention must stand in every so many blocks, and in no others."
        )
    key, value = fields.size("linear_key_head_dim"), fields.size("linear_value_head_dim")
    if key != value:
        fields.refuse("linear_key_head_dim", key, f"Only {value} is supported.")
    heads = fields.size("linear_num_value_heads")
    parameters = fields.inner("rope_parameters")
    parameters.only("rope_type", "default")
    pairs = int(head * parameters.number("partial_rotary_factor")) // 2
    return {
        "rope.dimension_count": 2 * pairs,
        "rope.dimension_sections": [(pairs + 2) // 3, (pairs + 1) // 3, pairs // 3, 0],
        "rope.freq_base": parameters.number("rope_theta"),
        "ssm.conv_kernel": fields.size("linear_conv_kernel_dim"),
        "ssm.state_size": key,
        "ssm.group_count": fields.size("linear_num_key_heads"),
        "ssm.time_step_rank": heads,
        "ssm.inner_size": heads * value,
        "full_attention_interval": every,
    }
