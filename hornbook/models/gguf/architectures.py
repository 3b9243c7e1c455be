"""What each architecture of llama.cpp has besides sizes and positions, read and written.

A model that needs otherwise what llama.cpp computes without a key is refused. Knows keys; knows
nothing of names.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert.llama import DecoderParts, attention_of
from hornbook.models.fields import Fields
from hornbook.models.gguf.facts import (
    CAP,
    FACTS,
    LOGIT_CAP,
    PATTERN,
    WINDOW,
    DecoderFacts,
    MixtureFacts,
    read_facts,
    scale_of,
)
from hornbook.models.gguf.sizes import HEADS, close_fields, open_fields, read_sizes
from hornbook.models.presets import gpt2, llama, qwen2, qwen3, qwen3_5, qwen3_moe
from hornbook.models.sizes import DecoderSizes
from hornbook.models.variants import gemma2, gemma3, granite, olmo2, phi3, smollm3
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.delta import GatedDeltaConfig
from hornbook.nn.mixture import MixtureConfig
from hornbook.nn.residual import PreNormConfig


def read_architecture(file: GGUFFile, name: str) -> CausalLMConfig:
    """Our config of one of `ARCHITECTURES`. Raises HornbookError naming file, key and value for
    what we would compute otherwise."""
    if name in FACTS:
        return _CONFIGS[name](read_facts(file, name))
    fields, vocab = open_fields(file, name)
    config = _OTHERS[name](fields, name, vocab, file)
    close_fields(fields, name, vocab, config.stack.depth, len(file.tensors))
    return config


def _mixture(facts: MixtureFacts | None) -> MixtureConfig:
    assert facts is not None, "it was read"
    return MixtureConfig(experts=facts.experts, chosen=facts.chosen, hidden=facts.hidden)


def _hybrid(facts: DecoderFacts) -> CausalLMConfig:
    assert facts.recall is not None, "it was read"
    rule = facts.recall.sizes
    mixer = GatedDeltaConfig(
        heads=rule.heads,
        head=rule.head,
        key_heads=rule.key_heads,
        key=rule.key,
        kernel=rule.taps,
        epsilon=rule.epsilon,
    )
    attention = tuple(facts.recall.attention)
    return qwen3_5(facts.sizes, attention, mixer, facts.rotary, facts.epsilon)


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
        WINDOW: parts.attention.window or 0,
        **({} if own else original),
    }


def _write_gemma(config: CausalLMConfig, parts: DecoderParts, name: str) -> dict[str, Any]:
    attentions = attentions_of(config)
    near = [attention.window is not None for attention in attentions]
    sizes = _sizes_of(config, parts)
    if parts.attention.scale != scale_of(name, sizes):
        _cannot(name, f"a scale of scores of {parts.attention.scale:g}")
    every = 2 if name == "gemma2" else 6
    usual = [i % every < every - 1 for i in range(len(near))]
    keys: dict[str, Any] = {} if near == usual or not any(near) else {PATTERN: near}
    if name == "gemma2":
        if not config.tied:
            _cannot(name, "a head of its own")
        if parts.attention.cap is None or config.cap is None:
            _cannot(name, "scores and logits without a cap")
        keys |= {CAP: parts.attention.cap, LOGIT_CAP: config.cap}
    elif config.cap is not None:
        keys[LOGIT_CAP] = config.cap
    if any(near):
        first = attentions[near.index(True)]
        assert first.window is not None and first.rotary is not None
        keys[WINDOW] = first.window
        if name == "gemma3":
            if first.rotary.scaling is not None:
                _cannot(name, "a scaling of positions in blocks with a window")
            keys["rope.freq_base_swa"] = first.rotary.theta
    elif name == "gemma2":
        keys |= {WINDOW: config.context, PATTERN: near}
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


_CONFIGS: dict[str, Callable[[DecoderFacts], CausalLMConfig]] = {
    "llama": lambda f: llama(f.sizes, f.rotary, f.epsilon, f.biased),
    "qwen2": lambda f: qwen2(f.sizes, f.rotary, f.epsilon),
    "qwen3": lambda f: qwen3(f.sizes, f.rotary, f.epsilon, f.biased),
    "qwen3moe": lambda f: qwen3_moe(
        f.sizes, _mixture(f.mixture), f.rotary, f.epsilon, f.biased
    ),
    "qwen35": _hybrid,
    "phi3": lambda f: phi3(f.sizes, f.window, f.rotary, f.epsilon),
    "gemma2": lambda f: gemma2(
        f.sizes, f.window, f.whole, f.rotary, f.epsilon,
        scale=f.scale, cap=f.cap, logit_cap=f.logit_cap,
    ),
    "gemma3": lambda f: gemma3(
        f.sizes, f.window, f.whole, f.rotary, f.epsilon,
        near=f.near or f.rotary, scale=f.scale, logit_cap=f.logit_cap,
    ),
    "olmo2": lambda f: olmo2(f.sizes, f.rotary, f.epsilon),
    "smollm3": lambda f: smollm3(f.sizes, f.still, f.rotary, f.epsilon, f.biased),
    "granite": lambda f: granite(
        f.sizes, f.rotary, f.epsilon, biased=f.biased, embedding=f.embedding,
        residual=f.residual, scale=f.scale, logits=f.logits,
    ),
}  # fmt: skip
_OTHERS: dict[str, Callable[[Fields, str, int, GGUFFile], CausalLMConfig]] = {
    "gpt2": _read_gpt2,
}
WRITE: dict[str, Callable[[CausalLMConfig, DecoderParts, str], dict[str, Any]]] = {
    **dict.fromkeys(("llama", "qwen2", "qwen3"), _write_rotary),
    "phi3": _write_phi3,
    "gemma2": _write_gemma,
    "gemma3": _write_gemma,
    "olmo2": _write_olmo2,
    "smollm3": _write_smollm3,
    "granite": _write_granite,
}
