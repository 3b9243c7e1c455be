"""What each architecture of llama.cpp has besides sizes and positions, read and written.

What llama.cpp computes without a key, as the scale of Gemma's scores, is taken for granted here as
it is there; a model that needs it otherwise is refused. Knows keys; knows nothing of names.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert.llama import DecoderParts, attention_of
from hornbook.models.fields import Fields
from hornbook.models.gguf.qwen import read_hybrid, read_moe
from hornbook.models.gguf.scaling import read_turning
from hornbook.models.gguf.sizes import HEADS, ROTARY, read_rotary, read_sizes
from hornbook.models.presets import gpt2, llama, qwen2, qwen3
from hornbook.models.sizes import DecoderSizes
from hornbook.models.variants import gemma2, gemma3, granite, olmo2, phi3, smollm3
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.residual import PreNormConfig

_WINDOW, _PATTERN = "attention.sliding_window", "attention.sliding_window_pattern"
_CAP, _LOGIT_CAP = "attn_logit_softcapping", "final_logit_softcapping"
_EPSILON = "attention.layer_norm_rms_epsilon"
_MULTIPLIERS = {
    "embedding": "embedding_scale",
    "residual": "residual_scale",
    "logits": "logit_scale",
}
_WIDE = {"gemma2": 46, "gemma3": 62}
"""Blocks of the models whose scores llama.cpp scales by the width for a head, not by the head."""


def _read_rotary(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    sizes, rotary, epsilon, biased = read_rotary(fields, name, vocab, file)
    if name == "qwen2":
        return qwen2(sizes, rotary, epsilon)
    return (llama if name == "llama" else qwen3)(sizes, rotary, epsilon, biased=biased)


def _read_gpt2(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    sizes = read_sizes(fields, name, vocab, file.tensors)
    if sizes.kv_heads != sizes.heads:
        fields.refuse(f"{name}.{HEADS}_kv", sizes.kv_heads, f"Only {sizes.heads} is supported.")
    if sizes.head != sizes.width // sizes.heads:
        only = sizes.width // sizes.heads
        fields.refuse(f"{name}.attention.key_length", sizes.head, f"Only {only} is supported.")
    # Positions are learned; what is said of rotary ones has no effect.
    fields.ignore(f"{name}.rope.*")
    return gpt2(sizes, fields.number(f"{name}.attention.layer_norm_epsilon"))


def _read_phi3(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    sizes = read_sizes(fields, name, vocab, file.tensors)
    window = fields.taken(f"{name}.{_WINDOW}").get(f"{name}.{_WINDOW}") or None  # 0 is none
    rotary = read_turning(file, fields, name, sizes, partly=True)
    return phi3(sizes, window, rotary, fields.number(f"{name}.{_EPSILON}"))


def _read_gemma2(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    sizes = read_sizes(fields, name, vocab, file.tensors)
    rotary = read_turning(file, fields, name, sizes)
    return gemma2(
        sizes,
        fields.size(f"{name}.{_WINDOW}", 4096),
        _whole(fields, name, sizes.depth, every=2),
        rotary,
        fields.number(f"{name}.{_EPSILON}"),
        scale=_scale(name, sizes),
        cap=fields.number(f"{name}.{_CAP}", 50.0),
        logit_cap=fields.number(f"{name}.{_LOGIT_CAP}", 30.0),
    )


def _read_gemma3(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    sizes = read_sizes(fields, name, vocab, file.tensors)
    key, cap = f"{name}.{_WINDOW}", f"{name}.{_LOGIT_CAP}"
    window = fields.taken(key).get(key)
    whole = _whole(fields, name, sizes.depth, every=6)
    return gemma3(
        sizes,
        window or sizes.context,
        whole if window else range(sizes.depth),
        read_turning(file, fields, name, sizes),
        fields.number(f"{name}.{_EPSILON}"),
        near=RotaryConfig(theta=fields.number(f"{name}.rope.freq_base_swa", 10_000.0)),
        scale=_scale(name, sizes),
        logit_cap=fields.number(cap) if fields.has(cap) else None,
    )


def _read_olmo2(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    sizes = read_sizes(fields, name, vocab, file.tensors)
    fields.only(f"{name}.{_WINDOW}", 0)
    rotary = read_turning(file, fields, name, sizes)
    return olmo2(sizes, rotary, fields.number(f"{name}.{_EPSILON}"))


def _read_smollm3(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    sizes, rotary, epsilon, biased = read_rotary(fields, name, vocab, file)
    return smollm3(sizes, None, rotary, epsilon, biased)


def _read_granite(fields: Fields, name: str, vocab: int, file: GGUFFile) -> CausalLMConfig:
    fields.only(f"{name}.rope.scaling.finetuned", True)  # false: no positions at all
    sizes, rotary, epsilon, biased = read_rotary(fields, name, vocab, file)
    multipliers = {
        ours: fields.number(f"{name}.{theirs}", 1.0) for ours, theirs in _MULTIPLIERS.items()
    }
    scale = fields.number(f"{name}.attention.scale", sizes.head**-0.5)
    return granite(sizes, rotary, epsilon, biased=biased, scale=scale, **multipliers)


def _whole(fields: Fields, name: str, depth: int, every: int) -> tuple[int, ...]:
    """The blocks that see all tokens. every: the last of so many, where the file does not say."""
    key = f"{name}.{_PATTERN}"
    found = fields.taken(key).get(key, every)
    if isinstance(found, list) and len(found) == depth:
        return tuple(i for i, near in enumerate(found) if not near)
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        fields.refuse(key, found, f"It must be a number, or {depth} truth values.")
    return tuple(i for i in range(depth) if i % found == found - 1)


def _scale(name: str, sizes: DecoderSizes) -> float:
    """Of the scores, as llama.cpp has it for Gemma."""
    wide = sizes.depth == _WIDE[name]
    return float((sizes.width // sizes.heads if wide else sizes.head) ** -0.5)


def _write_rotary(config: CausalLMConfig, parts: DecoderParts, name: str) -> dict[str, Any]:
    if parts.mlp.activation != "silu":
        _cannot(name, f"hidden_act = {parts.mlp.activation}")
    if parts.attention.bias.inputs and name in ("qwen3", "olmo2", "smollm3"):
        _cannot(name, "attention_bias = true")
    return {}


def _write_phi3(config: CausalLMConfig, parts: DecoderParts, name: str) -> dict[str, Any]:
    _require_width(config, parts, name)
    original = {"rope.scaling.original_context_length": config.context}
    own = parts.rotary.scaling is not None
    return {
        **_write_rotary(config, parts, name),
        _WINDOW: parts.attention.window or 0,
        **({} if own else original),
    }


def _write_gemma(config: CausalLMConfig, parts: DecoderParts, name: str) -> dict[str, Any]:
    attentions = attentions_of(config)
    near = [attention.window is not None for attention in attentions]
    sizes = _sizes_of(config, parts)
    if parts.attention.scale != _scale(name, sizes):
        _cannot(name, f"a scale of scores of {parts.attention.scale:g}")
    every = 2 if name == "gemma2" else 6
    usual = [i % every < every - 1 for i in range(len(near))]
    keys: dict[str, Any] = {} if near == usual or not any(near) else {_PATTERN: near}
    if name == "gemma2":
        if not config.tied:
            _cannot(name, "a head of its own")
        if parts.attention.cap is None or config.cap is None:
            _cannot(name, "scores and logits without a cap")
        keys |= {_CAP: parts.attention.cap, _LOGIT_CAP: config.cap}
    elif config.cap is not None:
        keys[_LOGIT_CAP] = config.cap
    if any(near):
        first = attentions[near.index(True)]
        assert first.window is not None and first.rotary is not None
        keys[_WINDOW] = first.window
        if name == "gemma3":
            if first.rotary.scaling is not None:
                _cannot(name, "a scaling of positions in blocks with a window")
            keys["rope.freq_base_swa"] = first.rotary.theta
    elif name == "gemma2":
        keys |= {_WINDOW: config.context, _PATTERN: near}
    return keys


def _write_olmo2(config: CausalLMConfig, parts: DecoderParts, name: str) -> dict[str, Any]:
    _require_width(config, parts, name)
    if config.tied:
        _cannot(name, "a head that is the embedding")
    return _write_rotary(config, parts, name)


def _write_smollm3(config: CausalLMConfig, parts: DecoderParts, name: str) -> dict[str, Any]:
    still = [i for i, each in enumerate(attentions_of(config)) if each.rotary is None]
    if still != list(range(3, config.stack.depth, 4)):
        _cannot(name, "other blocks without positions than every fourth")
    return _write_rotary(config, parts, name)


def _write_granite(config: CausalLMConfig, parts: DecoderParts, name: str) -> dict[str, Any]:
    first = config.stack.blocks()[0][0]
    assert isinstance(first, PreNormConfig)
    return {
        **_write_rotary(config, parts, name),
        "attention.scale": parts.attention.scale,
        "embedding_scale": config.embedding.multiplier,
        "residual_scale": first.multiplier,
        "logit_scale": 1 / config.multiplier,
    }


def without_windows(config: CausalLMConfig) -> CausalLMConfig:
    """The same without windows that are as long as the context, which llama.cpp's `llama` has not.

    A model whose blocks are of several kinds stays as it is.
    """
    if len(config.stack.pattern) > 1:
        return config
    block = tuple(_whole_window(layer, config.context) for layer in config.stack.pattern[0])
    stack = config.stack.model_copy(update={"pattern": (block,)})
    return config.model_copy(update={"stack": stack})


def _whole_window(layer: Any, context: int) -> Any:
    inner = getattr(layer, "layer", None)
    if not isinstance(inner, AttentionConfig) or (inner.window or 0) < context:
        return layer
    return layer.model_copy(update={"layer": inner.model_copy(update={"window": None})})


def attentions_of(config: CausalLMConfig) -> list[AttentionConfig]:
    """Those of all blocks."""
    found = map(attention_of, config.stack.blocks())
    return [attention for attention in found if attention is not None]


def _require_width(config: CausalLMConfig, parts: DecoderParts, name: str) -> None:
    if parts.attention.heads * parts.attention.head != config.width:
        _cannot(name, "heads that are not as wide as the model together")


def _sizes_of(config: CausalLMConfig, parts: DecoderParts) -> DecoderSizes:
    return DecoderSizes(
        vocab=config.vocab,
        width=config.width,
        depth=config.stack.depth,
        context=config.context,
        heads=parts.attention.heads,
        kv_heads=parts.attention.kv_heads,
        head=parts.attention.head,
        hidden=parts.mlp.hidden,
        tied=config.tied,
    )


def _cannot(name: str, what: str) -> NoReturn:
    raise HornbookError(f"GGUF has no key for what a {name} model of this kind needs: {what}.")


READ: dict[str, Callable[[Fields, str, int, GGUFFile], CausalLMConfig]] = {
    **dict.fromkeys(ROTARY, _read_rotary),
    "phi3": _read_phi3,
    "gemma2": _read_gemma2,
    "gemma3": _read_gemma3,
    "olmo2": _read_olmo2,
    "smollm3": _read_smollm3,
    "granite": _read_granite,
    "qwen3moe": read_moe,
    "qwen35": read_hybrid,
    "gpt2": _read_gpt2,
}
WRITE: dict[str, Callable[[CausalLMConfig, DecoderParts, str], dict[str, Any]]] = {
    **dict.fromkeys(ROTARY, _write_rotary),
    "phi3": _write_phi3,
    "gemma2": _write_gemma,
    "gemma3": _write_gemma,
    "olmo2": _write_olmo2,
    "smollm3": _write_smollm3,
    "granite": _write_granite,
}
