"""The sizes in a GGUF file's metadata as our config, and back.

Keys are those of llama.cpp. One that is not known here is refused: it may change what is computed.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pydantic

from hornbook.core.errors import HornbookError, nearest
from hornbook.core.gguf import GGUFFile
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import to_hf
from hornbook.models.convert.family import Family
from hornbook.models.convert.llama import attention_of, parts_of
from hornbook.models.encoder import EncoderConfig
from hornbook.models.fields import Fields
from hornbook.models.gguf.architectures import (
    WRITE,
    attentions_of,
    read_architecture,
    without_windows,
)
from hornbook.models.gguf.encoders import read_encoder, write_encoder
from hornbook.models.gguf.names import ARCHITECTURES, ENCODER, architecture_of
from hornbook.models.gguf.qwen import write_hybrid, write_moe
from hornbook.models.gguf.rotary import interleaved
from hornbook.models.gguf.scaling import write_turning
from hornbook.models.gguf.sizes import ARCHITECTURE, BERT, HEADS


def read_config(file: GGUFFile) -> tuple[Family, CausalLMConfig | EncoderConfig]:
    """The architecture as a family with GGUF's names, and our config.

    Raises HornbookError naming file, key and value for what we would compute otherwise.
    """
    name = file.values.get(ARCHITECTURE)
    if name == BERT:
        return ENCODER, read_encoder(file)
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise HornbookError(
            f"{file.path}: {ARCHITECTURE} = {name!r} cannot be opened. "
            f"{nearest(str(name), (*ARCHITECTURES, BERT))}"
        )
    try:
        return ARCHITECTURES[name], read_architecture(file, name)
    except pydantic.ValidationError as error:
        raise HornbookError(f"{file.path}: {error.errors()[0]['msg']}.") from None


def reordered(architecture: str, config: CausalLMConfig | EncoderConfig) -> dict[str, int]:
    """The modules whose rows GGUF has in another order, with their heads."""
    attention = attention_of(config.stack.blocks()[0])
    return interleaved(architecture, attention.heads, attention.kv_heads) if attention else {}


def write_config(
    config: CausalLMConfig | EncoderConfig,
) -> tuple[Family, dict[str, Any], Mapping[str, np.ndarray]]:
    """The family with GGUF's names that computes what `config` does, its keys, and tensors that
    are none of the weights.

    Raises HornbookError when no architecture of GGUF does.
    """
    if isinstance(config, CausalLMConfig):
        config = without_windows(config)
    family, values = to_hf(config)
    name = architecture_of(family)
    if name is None:
        raise HornbookError(
            f"A {family.model_type} model cannot be written as GGUF. Valid: "
            f"{', '.join((*ARCHITECTURES, BERT))}."
        )
    if isinstance(config, EncoderConfig):
        found = write_encoder(values)
        return ENCODER, {ARCHITECTURE: name, **{f"{name}.{k}": v for k, v in found.items()}}, {}
    fields = Fields(values, f"GGUF has no key for what a {name} model of this kind needs")
    tensors: Mapping[str, np.ndarray] = {}
    if name in WRITE:
        found, tensors = _write_turned(config, name)
    else:
        found = _write_gpt2(fields) if name == "gpt2" else _write_mixed(fields, name)
    keys = {ARCHITECTURE: name, **{f"{name}.{key}": value for key, value in found.items()}}
    return ARCHITECTURES[name], keys, tensors


def _write_turned(
    config: CausalLMConfig, name: str
) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    parts = parts_of(config)
    assert parts is not None, name
    attention, head = parts.attention, parts.attention.head
    whole = [each.rotary for each in attentions_of(config) if each.window is None and each.rotary]
    turning, tensors = write_turning(whole[0] if whole else parts.rotary, head, name)
    return {
        "embedding_length": config.width,
        "block_count": config.stack.depth,
        "context_length": config.context,
        HEADS: attention.heads,
        f"{HEADS}_kv": attention.kv_heads,
        "feed_forward_length": parts.mlp.hidden,
        "vocab_size": config.vocab,
        "attention.key_length": head,
        "attention.value_length": head,
        "attention.layer_norm_rms_epsilon": parts.norm.epsilon,
        **turning,
        **WRITE[name](config, parts, name),
    }, tensors


def _write_mixed(fields: Fields, name: str) -> dict[str, Any]:
    """Of what has other layers than attentions and gated MLPs."""
    fields.only("hidden_act", "silu")
    fields.only("attention_bias", False)
    fields.only("rope_scaling")
    head = fields.size("head_dim")
    more = _MIXED[name](fields, head)
    return {
        **_written(fields, _ROTARY_KEYS),
        "attention.key_length": head,
        "attention.value_length": head,
        "rope.dimension_count": head,
        "attention.layer_norm_rms_epsilon": fields.number("rms_norm_eps"),
        **more,
        "rope.freq_base": more.get("rope.freq_base") or fields.number("rope_theta"),
    }


def _write_gpt2(fields: Fields) -> dict[str, Any]:
    fields.only("activation_function", "gelu_new")
    epsilon = fields.number("layer_norm_epsilon")
    return {**_written(fields, _GPT2_KEYS), "attention.layer_norm_epsilon": epsilon}


def _written(fields: Fields, keys: Mapping[str, str]) -> dict[str, int]:
    return {ours: fields.size(theirs) for ours, theirs in keys.items()}


_MIXED: dict[str, Callable[[Fields, int], dict[str, Any]]] = {
    "qwen3moe": write_moe,
    "qwen35": write_hybrid,
}
_ROTARY_KEYS = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    HEADS: "num_attention_heads",
    f"{HEADS}_kv": "num_key_value_heads",
    "feed_forward_length": "intermediate_size",
    "vocab_size": "vocab_size",
}


_GPT2_KEYS = {
    "embedding_length": "n_embd",
    "block_count": "n_layer",
    "context_length": "n_positions",
    HEADS: "n_head",
    "feed_forward_length": "n_inner",
    "vocab_size": "vocab_size",
}
"""GGUF's keys to those of config.json."""
