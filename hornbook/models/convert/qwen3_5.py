"""`qwen3_5_text`: the gated delta rule, some blocks with gated attention instead (Qwen3.5, 2026).

Files of `qwen3_5` hold such a model inside one that sees images as well; its text is read.
"""

from typing import Any

from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert.family import TensorRule, decoder_family, with_images
from hornbook.models.convert.labels import decoder_classifier
from hornbook.models.convert.llama import mixer_of
from hornbook.models.convert.rotary import parameters, read_parameters, together
from hornbook.models.fields import Fields
from hornbook.models.presets import qwen3_5
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.delta import GatedDeltaConfig
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.mlp import GatedMLPConfig
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.residual import PreNormConfig

_ATTENTION, _DELTA = "full_attention", "linear_attention"


def read(fields: Fields) -> CausalLMConfig:
    """Qwen3.5's keys; what they leave out is what `transformers` assumes."""
    fields.only("hidden_act", "silu")
    fields.only("attn_output_gate", True)
    # Of a head that guesses further tokens, which is not read; and of a type that is float32 here.
    fields.ignore("mtp_*", "mlp_only_layers", "mamba_ssm_dtype")
    depth = fields.depth("num_hidden_layers", 32)
    sizes = DecoderSizes(
        vocab=fields.size("vocab_size"),
        width=fields.size("hidden_size"),
        depth=depth,
        context=fields.size("max_position_embeddings", 32_768),
        heads=fields.size("num_attention_heads", 16),
        kv_heads=fields.size("num_key_value_heads", 4),
        head=fields.size("head_dim", 256),
        hidden=fields.size("intermediate_size", 12_288),
        tied=fields.flag("tie_word_embeddings", False),
    )
    epsilon = fields.number("rms_norm_eps", 1e-6)
    mixer = GatedDeltaConfig(
        heads=fields.size("linear_num_value_heads", 32),
        head=fields.size("linear_value_head_dim", 128),
        key_heads=fields.size("linear_num_key_heads", 16),
        key=fields.size("linear_key_head_dim", 128),
        kernel=fields.size("linear_conv_kernel_dim", 4),
        epsilon=epsilon,
    )
    return qwen3_5(
        sizes,
        attention=_attention(fields, depth),
        mixer=mixer,
        rotary=_rotary(fields, sizes),
        epsilon=epsilon,
        biased=fields.flag("attention_bias", False),
    )


def _attention(fields: Fields, depth: int) -> tuple[int, ...]:
    """The blocks that have attention: named one by one, or every so many."""
    every = fields.size("full_attention_interval", 4)
    kinds = fields.sequence(
        "layer_types", [_DELTA if (i + 1) % every else _ATTENTION for i in range(depth)]
    )
    if len(kinds) != depth or not set(kinds) <= {_ATTENTION, _DELTA}:
        fields.refuse("layer_types", kinds, f"It must name {depth} of {_DELTA} and {_ATTENTION}.")
    return tuple(i for i, kind in enumerate(kinds) if kind == _ATTENTION)


def _rotary(fields: Fields, sizes: DecoderSizes) -> RotaryConfig:
    """What turns of a head. Positions of images have three parts, of text one."""
    found = together(fields, "rope_scaling", "rope_parameters")
    found.ignore("mrope_section", "mrope_interleaved")
    named = found.has("partial_rotary_factor")
    rotary = read_parameters(found, sizes, 10_000.0, partly=True)
    found.finish()
    return rotary if named else rotary.model_copy(update={"channels": sizes.head // 4})


def write(config: CausalLMConfig) -> dict[str, Any] | None:
    """Our config in Qwen3.5's keys, or None when it is wired otherwise."""
    blocks, norm = config.stack.blocks(), config.stack.norm
    mixers = [mixer_of(block) for block in blocks]
    attention = [mixer for mixer in mixers if isinstance(mixer, AttentionConfig)]
    delta = [mixer for mixer in mixers if isinstance(mixer, GatedDeltaConfig)]
    match blocks[0]:
        case (_, PreNormConfig(layer=GatedMLPConfig() as mlp)) if isinstance(norm, RMSNormConfig):
            pass
        case _:
            return None
    if len(attention) + len(delta) < len(blocks) or not all(mixer.gated for mixer in attention):
        return None
    return {
        "vocab_size": config.vocab,
        "hidden_size": config.width,
        "num_hidden_layers": len(blocks),
        "max_position_embeddings": config.context,
        "intermediate_size": mlp.hidden,
        "hidden_act": "silu",
        "rms_norm_eps": norm.epsilon,
        "layer_types": [_ATTENTION if mixer in attention else _DELTA for mixer in mixers],
        "tie_word_embeddings": config.tied,
        # The cache of `transformers` 5 fails without attention.
        **(_write_attention(attention[0]) if attention else {"use_cache": False}),
        **(_write_delta(delta[0]) if delta else {}),
    }


def _write_attention(attention: AttentionConfig) -> dict[str, Any]:
    found: dict[str, Any] = {
        "num_attention_heads": attention.heads,
        "num_key_value_heads": attention.kv_heads,
        "head_dim": attention.head,
        "attention_bias": attention.bias.inputs,
    }
    if attention.rotary is not None:
        turning = parameters(attention.rotary, attention.head)
        found["rope_parameters"] = {"partial_rotary_factor": 1.0, **turning}
    return found


def _write_delta(delta: GatedDeltaConfig) -> dict[str, Any]:
    return {
        "linear_num_value_heads": delta.heads,
        "linear_value_head_dim": delta.head,
        "linear_num_key_heads": delta.key_heads,
        "linear_key_head_dim": delta.key,
        "linear_conv_kernel_dim": delta.kernel,
    }


_BLOCK, _MIXER, _MLP = "model.layers.{block}", "stack.layers.{0}", "stack.layers.{1}"
RULES = (
    TensorRule("model.embed_tokens.weight", ("embedding.token.weight",)),
    TensorRule(f"{_BLOCK}.input_layernorm.weight", (f"{_MIXER}.norm.excess",)),
    *(
        TensorRule(f"{_BLOCK}.{theirs}", (f"{_MIXER}.layer.{ours}",))
        for theirs, ours in (
            ("self_attn.q_proj.weight", "query.weight"),
            ("self_attn.q_proj.bias", "query.bias"),
            ("self_attn.k_proj.weight", "key.weight"),
            ("self_attn.k_proj.bias", "key.bias"),
            ("self_attn.v_proj.weight", "value.weight"),
            ("self_attn.v_proj.bias", "value.bias"),
            ("self_attn.o_proj.bias", "output.bias"),
            ("self_attn.q_norm.weight", "query_norm.excess"),
            ("self_attn.k_norm.weight", "key_norm.excess"),
            ("linear_attn.in_proj_qkv.weight", "input.weight"),
            ("linear_attn.in_proj_z.weight", "gate.weight"),
            ("linear_attn.in_proj_b.weight", "rate.weight"),
            ("linear_attn.in_proj_a.weight", "step.weight"),
            ("linear_attn.conv1d.weight", "conv.weight"),
            ("linear_attn.dt_bias", "step_bias"),
            ("linear_attn.A_log", "decay_log"),
            ("linear_attn.norm.weight", "norm.weight"),
        )
    ),
    # Both mixers call their last matrix `output`; what stands beside it tells them apart.
    *(
        TensorRule(
            f"{_BLOCK}.{theirs}", (f"{_MIXER}.layer.output.weight",), beside=f"{_MIXER}.{ours}"
        )
        for theirs, ours in (
            ("self_attn.o_proj.weight", "layer.query.weight"),
            ("linear_attn.out_proj.weight", "layer.input.weight"),
        )
    ),
    TensorRule(f"{_BLOCK}.post_attention_layernorm.weight", (f"{_MLP}.norm.excess",)),
    TensorRule(f"{_BLOCK}.mlp.gate_proj.weight", (f"{_MLP}.layer.gate.weight",)),
    TensorRule(f"{_BLOCK}.mlp.up_proj.weight", (f"{_MLP}.layer.up.weight",)),
    TensorRule(f"{_BLOCK}.mlp.down_proj.weight", (f"{_MLP}.layer.down.weight",)),
    TensorRule("model.norm.weight", ("stack.norm.excess",)),
    TensorRule("lm_head.weight", ("head.weight",)),
)

FAMILY = decoder_family(
    "qwen3_5_text", "Qwen3_5ForCausalLM", read, write, RULES, obsolete=("mtp.*",)
)
CLASSIFIER = decoder_classifier(FAMILY, "Qwen3_5TextForSequenceClassification")
WITH_IMAGES = with_images(
    FAMILY, "qwen3_5", "Qwen3_5ForConditionalGeneration", ("model.visual.*", "visual.*")
)
