"""What tensors are called in a GGUF file, as families whose rules say those names.

The rules of `convert` are kept and only renamed: matrices lie as (outputs, inputs) for every
architecture, so that nothing is transposed. Weights of norms are stored as they are multiplied
with.
"""

from collections.abc import Mapping
from dataclasses import replace

from hornbook.models.convert import (
    bert,
    gemma,
    gpt2,
    granite,
    llama,
    olmo2,
    phi3,
    qwen2,
    qwen3,
    qwen3_5,
    qwen3_moe,
    smollm3,
)
from hornbook.models.convert.family import Family, TensorRule
from hornbook.models.gguf.scaling import DIVISORS, LONG, SHORT
from hornbook.models.gguf.sizes import BERT, HEAD, OF_IMAGES

_LLAMA = {
    "model.embed_tokens": "token_embd",
    "model.layers.{block}.input_layernorm": "blk.{block}.attn_norm",
    "model.layers.{block}.self_attn.q_proj": "blk.{block}.attn_q",
    "model.layers.{block}.self_attn.k_proj": "blk.{block}.attn_k",
    "model.layers.{block}.self_attn.v_proj": "blk.{block}.attn_v",
    "model.layers.{block}.self_attn.o_proj": "blk.{block}.attn_output",
    "model.layers.{block}.self_attn.q_norm": "blk.{block}.attn_q_norm",
    "model.layers.{block}.self_attn.k_norm": "blk.{block}.attn_k_norm",
    "model.layers.{block}.post_attention_layernorm": "blk.{block}.ffn_norm",
    "model.layers.{block}.mlp.gate_proj": "blk.{block}.ffn_gate",
    "model.layers.{block}.mlp.up_proj": "blk.{block}.ffn_up",
    "model.layers.{block}.mlp.down_proj": "blk.{block}.ffn_down",
    "model.norm": "output_norm",
    "lm_head": "output",
}
_MOE = {
    **_LLAMA,
    "model.layers.{block}.mlp.gate": "blk.{block}.ffn_gate_inp",
    "model.layers.{block}.mlp.experts.{part}.gate_proj": "blk.{block}.ffn_gate_exps",
    "model.layers.{block}.mlp.experts.{part}.up_proj": "blk.{block}.ffn_up_exps",
    "model.layers.{block}.mlp.experts.{part}.down_proj": "blk.{block}.ffn_down_exps",
}
_HYBRID = {
    **_LLAMA,
    "model.layers.{block}.post_attention_layernorm": "blk.{block}.post_attention_norm",
    "model.layers.{block}.linear_attn.in_proj_qkv": "blk.{block}.attn_qkv",
    "model.layers.{block}.linear_attn.in_proj_z": "blk.{block}.attn_gate",
    "model.layers.{block}.linear_attn.in_proj_b": "blk.{block}.ssm_beta",
    "model.layers.{block}.linear_attn.in_proj_a": "blk.{block}.ssm_alpha",
    "model.layers.{block}.linear_attn.conv1d": "blk.{block}.ssm_conv1d",
    "model.layers.{block}.linear_attn.norm": "blk.{block}.ssm_norm",
    "model.layers.{block}.linear_attn.out_proj": "blk.{block}.ssm_out",
}
_WHOLE = {
    "model.layers.{block}.linear_attn.dt_bias": "blk.{block}.ssm_dt.bias",
    "model.layers.{block}.linear_attn.A_log": "blk.{block}.ssm_a",
}
"""Names whose ends are others, too."""
_BEHIND = {
    **_LLAMA,
    "model.layers.{block}.post_attention_layernorm": "blk.{block}.post_attention_norm",
    "model.layers.{block}.pre_feedforward_layernorm": "blk.{block}.ffn_norm",
    "model.layers.{block}.post_feedforward_layernorm": "blk.{block}.post_ffw_norm",
}
"""Of families with norms behind their layers."""
_PHI3 = {
    **_LLAMA,
    "model.layers.{block}.self_attn.qkv_proj": "blk.{block}.attn_qkv",
    "model.layers.{block}.mlp.gate_up_proj": "blk.{block}.ffn_up",
}
_GPT2 = {
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.h.{block}.ln_1": "blk.{block}.attn_norm",
    "transformer.h.{block}.attn.c_attn": "blk.{block}.attn_qkv",
    "transformer.h.{block}.attn.c_proj": "blk.{block}.attn_output",
    "transformer.h.{block}.ln_2": "blk.{block}.ffn_norm",
    "transformer.h.{block}.mlp.c_fc": "blk.{block}.ffn_up",
    "transformer.h.{block}.mlp.c_proj": "blk.{block}.ffn_down",
    "transformer.ln_f": "output_norm",
    "lm_head": "output",
}


_BERT = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
    "encoder.layer.{block}.attention.self.query": "blk.{block}.attn_q",
    "encoder.layer.{block}.attention.self.key": "blk.{block}.attn_k",
    "encoder.layer.{block}.attention.self.value": "blk.{block}.attn_v",
    "encoder.layer.{block}.attention.output.dense": "blk.{block}.attn_output",
    "encoder.layer.{block}.attention.output.LayerNorm": "blk.{block}.attn_output_norm",
    "encoder.layer.{block}.intermediate.dense": "blk.{block}.ffn_up",
    "encoder.layer.{block}.output.dense": "blk.{block}.ffn_down",
    "encoder.layer.{block}.output.LayerNorm": "blk.{block}.layer_output_norm",
}


def _renamed(family: Family, table: Mapping[str, str]) -> Family:
    """The family with GGUF's names in its rules."""
    rules = tuple(_rename(rule, table) for rule in family.rules)
    # A file without a head is tied; one with a head is not, so nothing is stored twice.
    # Divisors of frequencies are the config's.
    aside = (DIVISORS, LONG, SHORT, *OF_IMAGES)
    return replace(family, rules=rules, base="", head=(HEAD,), copies={}, obsolete=aside, moved={})


def _rename(rule: TensorRule, table: Mapping[str, str]) -> TensorRule:
    module, _, kind = rule.theirs.rpartition(".")
    theirs = _WHOLE.get(rule.theirs) or f"{table[module]}.{kind}"
    return TensorRule(theirs, rule.ours, beside=rule.beside)


_NAMES: dict[str, tuple[Family, Mapping[str, str]]] = {
    "llama": (llama.FAMILY, _LLAMA),
    "qwen2": (qwen2.FAMILY, _LLAMA),
    "qwen3": (qwen3.FAMILY, _LLAMA),
    "qwen3moe": (qwen3_moe.FAMILY, _MOE),
    "qwen35": (qwen3_5.FAMILY, _HYBRID),
    "phi3": (phi3.FAMILY, _PHI3),
    "gemma2": (gemma.GEMMA2, _BEHIND),
    "gemma3": (gemma.GEMMA3, _BEHIND),
    "olmo2": (olmo2.FAMILY, _BEHIND),
    "smollm3": (smollm3.FAMILY, _LLAMA),
    "granite": (granite.FAMILY, _LLAMA),
    "gpt2": (gpt2.FAMILY, _GPT2),
}
ARCHITECTURES = {name: _renamed(family, table) for name, (family, table) in _NAMES.items()}
"""By `general.architecture`."""


ENCODER = replace(
    _renamed(bert.BODY, _BERT),
    # Of classifiers and of what judges pairs, which are other heads on the same.
    obsolete=("cls.*", "cls"),
)
"""Of `general.architecture` = `bert`."""


def architecture_of(family: Family) -> str | None:
    """What GGUF calls a family, None where it has none."""
    types = {one.model_type: name for name, one in ARCHITECTURES.items()}
    return BERT if family.architecture == bert.BODY.architecture else types.get(family.model_type)
