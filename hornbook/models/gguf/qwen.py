"""Our configs of Qwen3's mixtures and of Qwen3.5 as keys of `qwen3moe` and `qwen35` in GGUF."""

from typing import Any

from hornbook.models.fields import Fields

_ATTENTION = "full_attention"


def write_moe(fields: Fields, head: int) -> dict[str, Any]:
    """What `qwen3` has not."""
    fields.only("norm_topk_prob", True)
    return {
        "expert_count": fields.size("num_experts"),
        "expert_used_count": fields.size("num_experts_per_tok"),
        "expert_feed_forward_length": fields.size("moe_intermediate_size"),
    }


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
