"""The sizes in a GGUF file's metadata as our config, and back.

Keys are those of llama.cpp. One that is not known here is refused: it may change what is computed.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import pydantic

from hornbook.core.errors import HornbookError, nearest
from hornbook.core.gguf import GGUFFile
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import to_hf
from hornbook.models.convert.family import Family
from hornbook.models.fields import Fields
from hornbook.models.gguf.names import ARCHITECTURES, architecture_of
from hornbook.models.gguf.qwen import read_hybrid, read_moe, write_hybrid, write_moe
from hornbook.models.gguf.rotary import interleaved
from hornbook.models.gguf.sizes import (
    ARCHITECTURE,
    HEADS,
    ROTARY,
    close_fields,
    open_fields,
    read_rotary,
    read_sizes,
)
from hornbook.models.presets import gpt2, llama, qwen2, qwen3
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.residual import PreNormConfig


def read_config(file: GGUFFile) -> tuple[Family, CausalLMConfig]:
    """The architecture as a family with GGUF's names, and our config.

    Raises HornbookError naming file, key and value for what we would compute otherwise.
    """
    name = file.values.get(ARCHITECTURE)
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise HornbookError(
            f"{file.path}: {ARCHITECTURE} = {name!r} cannot be opened. "
            f"{nearest(str(name), ARCHITECTURES)}"
        )
    fields, vocab = open_fields(file, name)
    try:
        config = _READ[name](fields, name, vocab, file.tensors)
    except pydantic.ValidationError as error:
        raise HornbookError(f"{file.path}: {error.errors()[0]['msg']}.") from None
    close_fields(fields, name, vocab, config.stack.depth, len(file.tensors))
    return ARCHITECTURES[name], config


def reordered(architecture: str, config: CausalLMConfig) -> dict[str, int]:
    """The modules whose rows GGUF has in another order, with their heads."""
    match config.stack.pattern:
        case ((PreNormConfig(layer=AttentionConfig() as attention), _),):
            return interleaved(architecture, attention.heads, attention.kv_heads)
    return {}


def write_config(config: CausalLMConfig) -> tuple[Family, dict[str, Any]]:
    """The family with GGUF's names that computes what `config` does, and its keys.

    Raises HornbookError when no architecture of GGUF does.
    """
    family, values = to_hf(config)
    name = architecture_of(family)
    if name is None:
        raise HornbookError(
            f"A {family.model_type} model cannot be written as GGUF. Valid: "
            f"{', '.join(ARCHITECTURES)}."
        )
    fields = Fields(values, f"GGUF has no key for what a {name} model of this kind needs")
    found = _write_gpt2(fields) if name == "gpt2" else _write_rotary(fields, name)
    return ARCHITECTURES[name], {
        ARCHITECTURE: name,
        **{f"{name}.{key}": value for key, value in found.items()},
    }


def _read_rotary(fields: Fields, name: str, vocab: int, tensors: Collection[str]) -> CausalLMConfig:
    sizes, rotary, epsilon, biased = read_rotary(fields, name, vocab, tensors)
    if name == "qwen2":
        return qwen2(sizes, rotary, epsilon)
    return (llama if name == "llama" else qwen3)(sizes, rotary, epsilon, biased=biased)


def _read_gpt2(fields: Fields, name: str, vocab: int, tensors: Collection[str]) -> CausalLMConfig:
    sizes = read_sizes(fields, name, vocab, tensors)
    if sizes.kv_heads != sizes.heads:
        fields.refuse(f"{name}.{HEADS}_kv", sizes.kv_heads, f"Only {sizes.heads} is supported.")
    if sizes.head != sizes.width // sizes.heads:
        only = sizes.width // sizes.heads
        fields.refuse(f"{name}.attention.key_length", sizes.head, f"Only {only} is supported.")
    # Positions are learned; what is said of rotary ones has no effect.
    fields.ignore(f"{name}.rope.*")
    return gpt2(sizes, fields.number(f"{name}.attention.layer_norm_epsilon"))


def _write_rotary(fields: Fields, name: str) -> dict[str, Any]:
    fields.only("hidden_act", "silu")
    if name in ("qwen3", "qwen3moe"):
        fields.only("attention_bias", False)
    head = fields.size("head_dim")
    more = _WRITE[name](fields, head) if name in _WRITE else {}
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

_READ: dict[str, Callable[[Fields, str, int, Collection[str]], CausalLMConfig]] = {
    **dict.fromkeys(ROTARY, _read_rotary),
    "gpt2": _read_gpt2,
    "qwen3moe": read_moe,
    "qwen35": read_hybrid,
}
_WRITE: dict[str, Callable[[Fields, int], dict[str, Any]]] = {
    "qwen3moe": write_moe,
    "qwen35": write_hybrid,
}
"""What an architecture has besides the keys of all rotary ones."""
