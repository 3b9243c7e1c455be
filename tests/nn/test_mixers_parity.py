"""Recurrent and convolutional mixers equal their twins elsewhere, whole and step by step.

Weights are random and large. Outputs are around 1 and must agree to 1e-5; one tap, gate or group
in another's place moves them by 0.1 and more.
"""

import pytest
import torch
import transformers
from torch import Tensor, nn

from hornbook.nn.contract import Context, Layer, Mask, State
from hornbook.nn.delta import GatedDeltaConfig
from hornbook.nn.lstm import LSTMConfig
from hornbook.nn.mamba2 import Mamba2Config
from hornbook.nn.short_conv import ShortConvConfig
from tests.tiny import loud

WIDTH, ROWS, TIME = 16, 2, 21
MAMBA2 = {"input": "in_proj", "conv": "conv1d", "output": "out_proj", "step_bias": "dt_bias"} | {
    "decay_log": "A_log", "skip": "D"
}  # fmt: skip
DELTA = {"input": "in_proj_qkv", "gate": "in_proj_z", "rate": "in_proj_b", "step": "in_proj_a"} | {
    "conv": "conv1d", "output": "out_proj", "step_bias": "dt_bias", "decay_log": "A_log"
}  # fmt: skip
SHORT_CONV = {"input": "in_proj", "output": "out_proj"}
LSTM = {"gates.weight": "weight_ih_l0", "recurrent.weight": "weight_hh_l0"}


def filled(ours: Layer, theirs: nn.Module, names: dict[str, str]) -> Layer:
    """Our layer with their weights: renamed, and nothing else."""
    weights = theirs.state_dict()
    for name in ours.state_dict():
        head, dot, rest = name.partition(".")
        weights[name] = weights.pop(names.get(head, head) + dot + rest)
    ours.load_state_dict(weights)
    return ours.eval().requires_grad_(False)


def noise(rows: int = ROWS, time: int = TIME) -> Tensor:
    return torch.randn(rows, time, WIDTH, generator=torch.Generator().manual_seed(1))


def whole(layer: Layer, x: Tensor, valid: Tensor | None = None) -> Tensor:
    return layer(x, Context(torch.arange(x.shape[1])[None], Mask(causal=True, valid=valid)))


def in_chunks(layer: Layer, x: Tensor, sizes: list[int]) -> Tensor:
    state = State(torch.zeros(len(x), dtype=torch.int64), TIME, [layer.new_cache(len(x), TIME, x)])
    outputs = []
    for chunk in x.split(sizes, dim=1):
        outputs.append(layer(chunk, state.context(chunk.shape[1], None), state.caches[0]))
        state.advance(chunk.shape[1])
    return torch.cat(outputs, 1)


def same(one: Tensor, other: Tensor) -> None:
    assert other.std() > 0.1
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.fixture(
    params=[
        {"n_groups": 1, "chunk_size": 8},
        {"n_groups": 2, "use_bias": True, "time_step_limit": (0.3, 1.2), "conv_kernel": 3},
        {"n_groups": 4, "use_conv_bias": False, "layer_norm_epsilon": 1e-2},
    ],
    ids=["one-group", "limits-and-biases", "four-groups"],
)
def mamba2(request):
    from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer

    config = transformers.Mamba2Config(
        hidden_size=WIDTH, num_heads=4, head_dim=8, state_size=6, num_hidden_layers=1,
        **request.param,
    )  # fmt: skip
    theirs = loud(Mamba2Mixer(config, layer_idx=0))
    ours = Mamba2Config(
        heads=4, head=8, state=6, groups=config.n_groups, kernel=config.conv_kernel, chunk=8,
        step_limit=request.param.get("time_step_limit"), bias=config.use_bias,
        conv_bias=config.use_conv_bias, epsilon=config.layer_norm_epsilon,
    )  # fmt: skip
    return config, theirs, filled(ours.build(WIDTH), theirs, MAMBA2)


@pytest.fixture(params=[(2, 4, 4), (1, 3, 3), (4, 4, 1)], ids=["shared", "one-key", "alone"])
def delta(request):
    from transformers.models.qwen3_5.modeling_qwen3_5 import Qwen3_5GatedDeltaNet

    key_heads, heads, kernel = request.param
    config = transformers.Qwen3_5TextConfig(
        hidden_size=WIDTH, num_hidden_layers=1, layer_types=["linear_attention"],
        linear_num_key_heads=key_heads, linear_num_value_heads=heads, linear_key_head_dim=6,
        linear_value_head_dim=8, linear_conv_kernel_dim=kernel, rms_norm_eps=1e-3,
    )  # fmt: skip
    theirs = loud(Qwen3_5GatedDeltaNet(config, layer_idx=0))
    ours = GatedDeltaConfig(
        heads=heads, head=8, key_heads=key_heads, key=6, kernel=kernel, chunk=8, epsilon=1e-3
    )
    return config, theirs, filled(ours.build(WIDTH), theirs, DELTA)


@pytest.fixture(params=[(3, False), (4, True)], ids=["plain", "biased"])
def short_conv(request):
    from transformers.models.lfm2.modeling_lfm2 import Lfm2ShortConv

    kernel, bias = request.param
    config = transformers.Lfm2Config(
        hidden_size=WIDTH, num_hidden_layers=1, layer_types=["conv"], conv_L_cache=kernel,
        conv_bias=bias, num_attention_heads=2, num_key_value_heads=1,
    )  # fmt: skip
    theirs = loud(Lfm2ShortConv(config, layer_idx=0))
    ours = ShortConvConfig(kernel=kernel, bias=bias)
    return config, theirs, filled(ours.build(WIDTH), theirs, SHORT_CONV)


def test_mamba2_whole_and_in_chunks(mamba2):
    _, theirs, ours = mamba2
    expected = theirs(noise())
    same(whole(ours, noise()), expected)
    same(in_chunks(ours, noise(), [9, 1, 1, 10]), expected)


def test_mamba2_step_by_step(mamba2):
    config, theirs, ours = mamba2
    if tuple(config.time_step_limit) != (0.0, float("inf")):
        pytest.skip("their single step does not limit it, their whole does")
    cache = transformers.DynamicCache(config=config)
    steps = [theirs(x, cache_params=cache) for x in noise().split([5] + [1] * 16, dim=1)]
    same(in_chunks(ours, noise(), [5] + [1] * 16), torch.cat(steps, 1))


def test_mamba2_with_padding_on_the_left(mamba2):
    config, theirs, ours = mamba2
    if config.use_bias:
        pytest.skip("their biased projection writes for padding, too")
    valid = torch.arange(TIME) >= torch.tensor([[4], [0]])
    expected = theirs(noise(), attention_mask=valid)
    same(whole(ours, noise(), valid)[valid], expected[valid])


def test_delta_whole_and_in_chunks(delta):
    _, theirs, ours = delta
    expected = theirs(noise())
    same(whole(ours, noise()), expected)
    same(in_chunks(ours, noise(), [9, 1, 1, 10]), expected)


def test_delta_step_by_step(delta):
    config, theirs, ours = delta
    cache = transformers.DynamicCache(config=config)
    steps = [theirs(x, cache_params=cache) for x in noise().split([5] + [1] * 16, dim=1)]
    same(in_chunks(ours, noise(), [5] + [1] * 16), torch.cat(steps, 1))


def test_delta_with_padding_on_the_left(delta):
    _, theirs, ours = delta
    valid = torch.arange(TIME) >= torch.tensor([[4], [0]])
    expected = theirs(noise(), attention_mask=valid)
    same(whole(ours, noise(), valid)[valid], expected[valid])


def test_short_conv_whole_and_step_by_step(short_conv):
    config, theirs, ours = short_conv
    expected = theirs(noise())
    same(whole(ours, noise()), expected)
    sizes = [5] + [1] * 16
    cache = transformers.DynamicCache(config=config)
    steps = [theirs(x, past_key_values=cache) for x in noise().split(sizes, dim=1)]
    same(torch.cat(steps, 1), expected)
    same(in_chunks(ours, noise(), sizes), expected)


def test_lstm_is_the_library_s():
    theirs = loud(nn.LSTM(WIDTH, WIDTH, batch_first=True))
    weights = theirs.state_dict()
    ours = LSTMConfig().build(WIDTH).requires_grad_(False)
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    ours.load_state_dict({name: weights[old] for name, old in LSTM.items()} | {"gates.bias": bias})
    expected = theirs(noise())[0]
    same(whole(ours, noise()), expected)
    same(in_chunks(ours, noise(), [5] + [1] * 16), expected)
