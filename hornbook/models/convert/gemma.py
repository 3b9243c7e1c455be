"""`gemma2` and `gemma3_text`: windows in most blocks, norms on both sides of each layer.

Files of `gemma3` hold the latter inside a model that sees images as well; its text is read.
"""

from dataclasses import replace
from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import llama
from hornbook.models.convert.family import TensorRule, decoder_family, with_images
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.convert.rotary import parameters, read_parameters, read_rotary, together
from hornbook.models.fields import Fields
from hornbook.models.sizes import DecoderSizes
from hornbook.models.variants import gemma2, gemma3
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.frequencies import RotaryConfig

_FULL, _SLIDING = "full_attention", "sliding_attention"
_NEAR, _FAR = 10_000.0, 1_000_000.0
_ACTIVATION = "gelu_pytorch_tanh"


def read_2(fields: Fields) -> CausalLMConfig:
    """Gemma 2's keys; what they leave out is what `transformers` assumes."""
    sizes = _sizes(fields, vocab=256_000, context=8192)
    cap, logit_cap = (
        None if fields.null(key) else fields.number(key, usual)
        for key, usual in (("attn_logit_softcapping", 50.0), ("final_logit_softcapping", 30.0))
    )
    return gemma2(
        sizes,
        rotary=read_rotary(fields, sizes),
        cap=cap,
        logit_cap=logit_cap,
        **_variant(fields, sizes, every=2),
    )


def read_3(fields: Fields) -> CausalLMConfig:
    """Gemma 3's keys; what they leave out is what `transformers` assumes."""
    sizes = _sizes(fields, vocab=262_208, context=131_072)
    fields.only("attn_logit_softcapping")
    capped = fields.has("final_logit_softcapping")
    every = fields.size("sliding_window_pattern", fields.size("_sliding_window_pattern", 6))
    near, far = _rotary(fields, sizes)
    return gemma3(
        sizes,
        rotary=far,
        near=near,
        logit_cap=fields.number("final_logit_softcapping") if capped else None,
        **_variant(fields, sizes, every),
    )


def _sizes(fields: Fields, vocab: int, context: int) -> DecoderSizes:
    fields.only("use_bidirectional_attention", False)
    fields.ignore("cache_implementation", "sliding_window_size")
    return DecoderSizes(
        vocab=fields.size("vocab_size", vocab),
        width=fields.size("hidden_size", 2304),
        depth=fields.depth("num_hidden_layers", 26),
        context=fields.size("max_position_embeddings", context),
        heads=fields.size("num_attention_heads", 8),
        kv_heads=fields.size("num_key_value_heads", 4),
        head=fields.size("head_dim", 256),
        hidden=fields.size("intermediate_size", 9216),
        tied=fields.flag("tie_word_embeddings", True),
    )


def _variant(fields: Fields, sizes: DecoderSizes, every: int) -> dict[str, Any]:
    """What both presets take. every: the last of so many blocks sees all tokens."""
    fields.only("attention_bias", False)
    fields.only("hidden_activation", _ACTIVATION)
    fields.ignore("hidden_act")  # `transformers` reads the other
    usual = [_SLIDING if (i + 1) % every else _FULL for i in range(sizes.depth)]
    return {
        "window": fields.size("sliding_window", 4096),
        "whole": read_kinds(fields, usual),
        "scale": fields.number("query_pre_attn_scalar", 256.0) ** -0.5,
        "epsilon": fields.number("rms_norm_eps", 1e-6),
    }


def read_kinds(fields: Fields, usual: list[str]) -> tuple[int, ...]:
    """The blocks that see all tokens. usual: the kinds of blocks where the file has none."""
    kinds = fields.sequence("layer_types", usual)
    if len(kinds) != len(usual) or not set(kinds) <= {_FULL, _SLIDING}:
        reason = f"It must name {len(usual)} of {_SLIDING} and {_FULL}."
        fields.refuse("layer_types", kinds, reason)
    return tuple(i for i, kind in enumerate(kinds) if kind == _FULL)


def write_kinds(config: CausalLMConfig) -> list[str]:
    """Undo `read_kinds`."""
    return [_SLIDING if each.window else _FULL for each in _attentions(config)]


def _rotary(fields: Fields, sizes: DecoderSizes) -> tuple[RotaryConfig, RotaryConfig]:
    """Of blocks with a window and of the others: version 5 has an object for each kind, version 4
    a second base and scalings of the first."""
    both = fields.inner("rope_parameters")
    local = fields.taken("rope_local_base_freq").get("rope_local_base_freq")
    top = fields.taken("rope_theta")
    far = together(both, _FULL, top={**top, **fields.inner("rope_scaling").taken()})
    near = together(both, _SLIDING, top={} if local is None else {"rope_theta": local})
    both.finish()
    found = read_parameters(near, sizes, _NEAR), read_parameters(far, sizes, _FAR)
    near.finish()
    far.finish()
    return found


def write_2(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Gemma 2's keys, or None when it is wired otherwise."""
    keys, parts = _write(config), llama.parts_of(config)
    if keys is None or parts is None:
        return None
    return {**keys, "attn_logit_softcapping": parts.attention.cap}


def write_3(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Gemma 3's keys, or None when it is wired otherwise."""
    keys, attentions = _write(config), _attentions(config)
    if keys is None:
        return None
    kinds = {_SLIDING if each.window else _FULL: each.rotary for each in attentions if each.rotary}
    usual = {_SLIDING: RotaryConfig(theta=_NEAR), _FULL: RotaryConfig(theta=_FAR), **kinds}
    head = attentions[0].head
    both = {kind: parameters(rotary, head) for kind, rotary in usual.items()}
    # Version 5 of `transformers` reads these; version 4 and llama.cpp what is written besides.
    scaling = both[_FULL] if usual[_FULL].scaling else None
    return {
        **keys,
        "rope_parameters": both,
        "rope_theta": usual[_FULL].theta,
        "rope_local_base_freq": usual[_SLIDING].theta,
        "rope_scaling": scaling,
    }


def _write(config: CausalLMConfig) -> dict[str, Any] | None:
    keys, parts = llama.write(config), llama.parts_of(config)
    if keys is None or parts is None or parts.attention.scale is None:
        return None
    windows = [each.window for each in _attentions(config) if each.window is not None]
    kept = {key: value for key, value in keys.items() if key not in ("hidden_act", "rope_scaling")}
    return {
        **kept,
        "hidden_activation": _ACTIVATION,
        "query_pre_attn_scalar": round(parts.attention.scale**-2),
        "sliding_window": min(windows, default=config.context),
        "layer_types": write_kinds(config),
        "final_logit_softcapping": config.cap,
    }


def _attentions(config: CausalLMConfig) -> list[AttentionConfig]:
    found = map(llama.attention_of, config.stack.blocks())
    return [attention for attention in found if attention is not None]


_BLOCK, _MIXER, _MLP = "model.layers.{block}", "stack.layers.{0}", "stack.layers.{1}"
RULES = (
    TensorRule("model.embed_tokens.weight", ("embedding.token.weight",)),
    *(
        TensorRule(f"{_BLOCK}.{theirs}.weight", (ours,))
        for theirs, ours in (
            ("input_layernorm", f"{_MIXER}.norm.excess"),
            ("self_attn.q_proj", f"{_MIXER}.normed.query.weight"),
            ("self_attn.k_proj", f"{_MIXER}.normed.key.weight"),
            ("self_attn.v_proj", f"{_MIXER}.normed.value.weight"),
            ("self_attn.o_proj", f"{_MIXER}.normed.output.weight"),
            ("self_attn.q_norm", f"{_MIXER}.normed.query_norm.excess"),
            ("self_attn.k_norm", f"{_MIXER}.normed.key_norm.excess"),
            ("post_attention_layernorm", f"{_MIXER}.after_norm.excess"),
            ("pre_feedforward_layernorm", f"{_MLP}.norm.excess"),
            ("mlp.gate_proj", f"{_MLP}.normed.gate.weight"),
            ("mlp.up_proj", f"{_MLP}.normed.up.weight"),
            ("mlp.down_proj", f"{_MLP}.normed.down.weight"),
            ("post_feedforward_layernorm", f"{_MLP}.after_norm.excess"),
        )
    ),
    TensorRule("model.norm.weight", ("stack.norm.excess",)),
    TensorRule("lm_head.weight", ("head.weight",)),
)

GEMMA2 = decoder_family("gemma2", "Gemma2ForCausalLM", read_2, write_2, RULES)
GEMMA3 = replace(
    GEMMA2,
    model_type="gemma3_text",
    architecture="Gemma3ForCausalLM",
    read=read_3,
    write=write_3,
)
WITH_IMAGES = with_images(
    GEMMA3,
    "gemma3",
    "Gemma3ForConditionalGeneration",
    ("*vision_tower.*", "*multi_modal_projector.*"),
)
CLASSIFIERS = (
    decoder_classifier(GEMMA2, "Gemma2ForSequenceClassification"),
    decoder_classifier(GEMMA3, "Gemma3TextForSequenceClassification"),
)
