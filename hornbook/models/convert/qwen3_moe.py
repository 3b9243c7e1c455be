"""`qwen3_moe`: Qwen3 with a mixture of experts in every MLP's place (Qwen3 report, 2025)."""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama
from hornbook.models.convert.family import TensorRule, decoder_family
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.convert.qwen3 import read_window
from hornbook.models.fields import Fields
from hornbook.models.presets import qwen3_moe
from hornbook.nn.mixture import MixtureConfig
from hornbook.nn.residual import PreNormConfig


def read(fields: Fields) -> CausalLMConfig:
    """Qwen3-MoE's keys; what they leave out is what `transformers` assumes."""
    read_window(fields)
    fields.only("decoder_sparse_step", 1)
    fields.only("mlp_only_layers", [])
    fields.only("output_router_logits", False, True)
    width, heads = fields.size("hidden_size"), fields.size("num_attention_heads")
    sizes = llama.read_sizes(fields, width, heads, head=width // heads)
    variant = llama.read_variant(fields, sizes)
    mixture = MixtureConfig(
        experts=fields.size("num_local_experts", fields.size("num_experts", 128)),
        chosen=fields.size("num_experts_per_tok", 8),
        hidden=fields.size("moe_intermediate_size", 768),
        activation=variant.pop("activation"),
        normalised=fields.flag("norm_topk_prob", False),
        balance=fields.share("router_aux_loss_coef", 0.001),
    )
    return qwen3_moe(sizes, mixture, **variant)


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Qwen3-MoE's keys, or None when it is wired otherwise."""
    match config.stack.pattern:
        case ((first, PreNormConfig(layer=MixtureConfig() as mixture) as second),):
            # Said with one expert in the place of all, it is Llama's.
            one = (first, second.model_copy(update={"layer": mixture.expert}))
        case _:
            return None
    stack = config.stack.model_copy(update={"pattern": (one,)})
    keys = llama.write(config.model_copy(update={"stack": stack}))
    return keys and {
        **keys,
        "use_sliding_window": False,
        "sliding_window": None,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "num_experts": mixture.experts,
        "num_experts_per_tok": mixture.chosen,
        "moe_intermediate_size": mixture.hidden,
        "norm_topk_prob": mixture.normalised,
        "router_aux_loss_coef": mixture.balance,
    }


_MLP = "model.layers.{block}.mlp"
_EXPERTS = (
    TensorRule(f"{_MLP}.gate.weight", ("stack.layers.{1}.layer.router",)),
    *(
        TensorRule(
            f"{_MLP}.experts.{{part}}.{theirs}.weight",
            (f"stack.layers.{{1}}.layer.experts.{{part}}.{ours}.weight",),
        )
        for theirs, ours in (("gate_proj", "gate"), ("up_proj", "up"), ("down_proj", "down"))
    ),
)

FAMILY = decoder_family(
    "qwen3_moe",
    "Qwen3MoeForCausalLM",
    read,
    write,
    (*(rule for rule in llama.RULES if not rule.theirs.startswith(_MLP)), *_EXPERTS),
)
CLASSIFIER = decoder_classifier(FAMILY, "Qwen3MoeForSequenceClassification")
