"""Configs both ways: what is read means the same there, and what is not understood is refused."""

import re

import pytest

from hornbook.core.errors import HornbookError
from hornbook.models.convert import MODEL_TYPES, from_hf, to_hf
from hornbook.models.convert.own import layers_of
from hornbook.models.presets import PRESETS
from hornbook.nn.attention import AttentionConfig
from hornbook.nn.frequencies import RotaryConfig
from hornbook.nn.mlp import MLPConfig
from hornbook.nn.norm import RMSNormConfig
from hornbook.nn.residual import PreNormConfig
from tests.tiny import decoder_sizes
from tests.tiny import model_type as known_type

WHERE = "folder/config.json"
SIZES = decoder_sizes(heads=4, kv_heads=4, head=4)
LLAMA = {
    "model_type": "llama",
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
}
QWEN3 = {**LLAMA, "model_type": "qwen3", "head_dim": 4}
QWEN2 = {**LLAMA, "model_type": "qwen2"}
GPT2 = {
    "model_type": "gpt2",
    "vocab_size": 50,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 32,
}


def read(values):
    return from_hf(values, WHERE)[1]


def model_type(preset):
    ours = any(layer.ours for layer in layers_of(PRESETS[preset](SIZES)))
    if PRESETS[preset].family == "lstm":
        return "hornbook_lstm"
    return "hornbook" if ours else known_type(preset)


def test_every_preset_has_its_family():
    assert set(map(model_type, PRESETS)) <= set(MODEL_TYPES)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_written_as_its_family_and_read_back(preset, tied):
    config = PRESETS[preset](SIZES.model_copy(update={"tied": tied}))
    family, values = to_hf(config)
    assert family.model_type == values["model_type"] == model_type(preset)
    assert read(values) == config


def test_what_a_file_leaves_out_is_what_transformers_assumes():
    expected = PRESETS["llama"](SIZES)
    assert read(LLAMA) == expected
    assert read({**LLAMA, "num_key_value_heads": None, "head_dim": None}) == expected
    wide = read({key: value for key, value in QWEN3.items() if key != "head_dim"})
    assert wide == PRESETS["qwen3"](SIZES.model_copy(update={"head": 128}))
    expected = PRESETS["gpt2"](SIZES.model_copy(update={"hidden": 64, "tied": True}))
    assert read(GPT2) == expected


@pytest.mark.parametrize(
    "keys",
    [
        {"rope_theta": 500},
        {"rope_theta": 500.0, "rope_scaling": None},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}},
        {"rope_theta": 500.0, "rope_parameters": {"rope_theta": 500.0}},
        {"rope_theta": 500.0, "rope_scaling": {"type": "default"}},
        {"rope_theta": 500.0, "partial_rotary_factor": 1.0},
    ],
)
def test_the_rotary_base_in_all_its_places(keys):
    assert read({**LLAMA, **keys}) == PRESETS["llama"](SIZES, rotary=RotaryConfig(theta=500.0))


INVERSE = "scale_attn_by_inverse_layer_idx"
LONG = {"rope_type": "longrope", "short_factor": [1.0, 2.0], "long_factor": [2.0, 3.0]}
YARN = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e6}


@pytest.mark.parametrize(
    ("values", "key", "value"),
    [
        ({**LLAMA, "rope_scaling": {"type": "linear", "factor": -2.0}}, "factor", "-2.0"),
        ({**LLAMA, "rope_scaling": {"rope_type": "llama4"}}, "rope_type", '"llama4"'),
        ({**LLAMA, "rope_parameters": {**YARN, "beta": 2}}, "beta", "2"),
        ({**LLAMA, "rope_parameters": YARN, "rope_scaling": {"factor": 2}}, "factor", "4.0"),
        ({**LLAMA, "rope_parameters": {**LONG, "long_factor": [1.0]}}, "long_factor", "[1.0]"),
        ({**LLAMA, "rope_parameters": {"full_attention": {}}}, "full_attention", "{}"),
        ({**LLAMA, "rope_scaling": {"factor": 2.0}}, "factor", "2.0"),
        ({**LLAMA, "rope_theta": 5, "rope_parameters": {"rope_theta": 7}}, "rope_theta", "7"),
        ({**LLAMA, "partial_rotary_factor": 0.5}, "partial_rotary_factor", "0.5"),
        ({**LLAMA, "hidden_act": ["silu"]}, "hidden_act", '["silu"]'),
        ({**LLAMA, "rms_norm_eps": float("nan")}, "rms_norm_eps", "NaN"),
        ({**LLAMA, "rope_theta": -1.0}, "rope_theta", "-1.0"),
        ({**LLAMA, "rope_interleaved": True}, "rope_interleaved", "true"),
        ({**LLAMA, "mlp_bias": True}, "mlp_bias", "true"),
        ({**LLAMA, "hidden_act": "gelu_fast"}, "hidden_act", '"gelu_fast"'),
        ({**LLAMA, "num_attention_heads": 3}, "num_attention_heads", "3"),
        ({**LLAMA, "hidden_size": "16"}, "hidden_size", '"16"'),
        ({**LLAMA, "hidden_size": True}, "hidden_size", "true"),
        ({**LLAMA, "num_hidden_layers": 0}, "num_hidden_layers", "0"),
        ({**LLAMA, "tie_word_embeddings": "no"}, "tie_word_embeddings", '"no"'),
        ({**LLAMA, "quantization_config": {"bits": 4}}, "quantization_config", '{"bits": 4}'),
        ({**LLAMA, "auto_map": {"AutoConfig": "x.Y"}}, "auto_map", '{"AutoConfig": "x.Y"}'),
        ({**QWEN3, "use_sliding_window": True}, "use_sliding_window", "true"),
        ({**QWEN3, "layer_types": ["full_attention", "sliding_attention"]}, "layer_types", "["),
        ({**QWEN3, "layer_types": ["full_attention"]}, "layer_types", "["),
        ({**QWEN2, "attention_bias": False}, "attention_bias", "false"),
        ({**GPT2, INVERSE: True}, INVERSE, "true"),
        ({**GPT2, "scale_attn_weights": False}, "scale_attn_weights", "false"),
        ({**GPT2, "add_cross_attention": True}, "add_cross_attention", "true"),
        ({**GPT2, "n_ctx": 64}, "n_ctx", "64"),
        ({**GPT2, "n_head": 5}, "n_head", "5"),
    ],
)  # fmt: skip
def test_what_we_would_compute_otherwise_is_refused_with_file_key_and_value(values, key, value):
    with pytest.raises(HornbookError, match=re.escape(f"{key} = {value}")) as caught:
        read(values)
    assert str(caught.value).startswith(WHERE)


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(HornbookError, match=r"config\.json.*kv_heads = 3 does not divide"):
        read({**LLAMA, "num_key_value_heads": 3})


def test_a_missing_key_is_named():
    without = {key: value for key, value in LLAMA.items() if key != "hidden_size"}
    with pytest.raises(HornbookError, match=r"config\.json: key 'hidden_size' is missing"):
        read(without)


def test_an_unknown_family_is_refused_with_the_nearest():
    with pytest.raises(HornbookError, match=r"'qwen33'.*Did you mean 'qwen3'"):
        read({**LLAMA, "model_type": "qwen33"})
    with pytest.raises(HornbookError, match=r"model_type = None.*Valid: .*gpt2.* llama.* qwen3"):
        read({})


def test_keys_without_effect_are_let_through():
    harmless = {"attention_dropout": 0.1, "bos_token_id": 1, "use_cache": False, "top_k": 5}
    assert read({**LLAMA, **harmless}) == read(LLAMA)


def test_a_wiring_without_a_family_is_refused_before_anything_is_written():
    norm = RMSNormConfig()
    mixer = PreNormConfig(norm=norm, layer=AttentionConfig(heads=2, kv_heads=2, head=8))
    plain = PRESETS["gpt2"](SIZES)
    for pattern in ((mixer,), (mixer, PreNormConfig(norm=norm, layer=MLPConfig(hidden=8)))):
        stack = plain.stack.model_copy(update={"pattern": (pattern,)})
        with pytest.raises(HornbookError, match=r"No model type of qwen3, llama, .*gpt2"):
            to_hf(plain.model_copy(update={"stack": stack}))


def test_sizes_that_transformers_refuses_are_refused_with_the_reason():
    odd = PRESETS["qwen2"](SIZES.model_copy(update={"heads": 3, "kv_heads": 3}))
    with pytest.raises(HornbookError, match=r"num_attention_heads = 3.*hidden_size = 16"):
        to_hf(odd)
