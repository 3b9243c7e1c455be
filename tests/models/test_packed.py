"""Codes of four and eight bits: what they stand for, and models that run on them."""

import numpy as np
import pytest
import torch

from hornbook import kernels as native
from hornbook.core.gguf import GGUFFile
from hornbook.generate.decode import decode
from hornbook.generate.sampling import SamplingConfig
from hornbook.generate.single_token import single_token_decoder
from hornbook.kernels.codes import Form
from hornbook.kernels.quantised import join, matrix_of
from hornbook.models.folder import load_model
from hornbook.models.gguf.quantised import is_mostly_quantised
from hornbook.models.gguf.write import write_gguf
from hornbook.models.kernel_weights import decoder_weights
from hornbook.models.pack import FusedAttention, from_weights, pack
from hornbook.models.packed_gguf import load_packed
from hornbook.models.presets import PRESETS
from hornbook.models.sizes import DecoderSizes
from hornbook.nn.packed import NativeLinear, PackedLinear, kernel_works, packed, quantise, takes
from tests.tiny import need_kernels, slow

pytestmark = pytest.mark.skipif(not kernel_works(), reason="torch has no kernel for codes here")

SIZES = DecoderSizes(
    vocab=96, width=64, depth=2, context=64, heads=4, kv_heads=2, head=16, hidden=128, tied=True
)
DECODERS = ("qwen3", "llama", "qwen2", "gpt2", "mamba2", "lfm2", "qwen3.5", "qwen3-moe", "lstm")


def made(name, seed=0, **sizes):
    kv_heads = {"kv_heads": 4} if name == "gpt2" else {}
    preset = {"lfm2": "lfm2-conv"}.get(name, name)
    model = PRESETS[preset](SIZES.model_copy(update={**kv_heads, **sizes})).build(seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:  # layers begin as the identity: nothing would be compared
                weight.copy_(torch.randn(weight.shape, generator=generator) / 8)
    return model.eval()


@pytest.fixture(autouse=True, params=["ours", "torch"])
def kernels(request, monkeypatch):
    """Whose kernels compute; those of ours are built where this machine can."""
    if request.param == "torch":
        monkeypatch.setattr(native, "_found", lambda: "none here")
    else:
        need_kernels()
    return request.param


@pytest.mark.parametrize("bits", [4, 8])
def test_codes_are_the_nearest_and_the_kernel_computes_with_them(bits):
    weight = torch.randn(48, 96, generator=torch.Generator().manual_seed(1))
    codes = quantise(weight, bits)
    step = codes.scale.repeat(32, 1)
    assert (np.abs(codes.dequantised() - weight.numpy()) <= step * 0.52 + 1e-6).all()
    x = torch.randn(5, 7, 96)
    expected = x @ torch.from_numpy(codes.dequantised()).T
    found = packed(matrix_of(codes))(x)
    assert found.shape == (5, 7, 48) and found.dtype == torch.float32
    assert (found - expected).abs().max() < 0.02 * expected.abs().max()


def test_a_constant_group_and_zeros_are_exact():
    weight = torch.zeros(16, 64)
    weight[:, 32:] = 0.5
    assert np.array_equal(quantise(weight, 4).dequantised(), weight.numpy())


def test_joined_matrices_are_the_matrices_one_below_the_other():
    parts = [quantise(torch.randn(rows, 32), 4) for rows in (16, 32)]
    joint = packed(join([matrix_of(part) for part in parts]))
    x = torch.randn(3, 32)
    alone = torch.cat([packed(matrix_of(part))(x) for part in parts], 1)
    assert torch.equal(joint(x), alone)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("bits", [4, 8])
def test_every_decoder_runs_on_codes(name, bits):
    plain, coded = made(name), pack(made(name), from_weights(bits))
    assert any(isinstance(module, NativeLinear | PackedLinear) for module in coded.modules())
    tokens = torch.randint(96, (2, 20), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        one, other = plain(tokens).float(), coded(tokens).float()
        state = coded.new_state(2)
        parts = torch.cat([coded(tokens[:, :7], state), coded(tokens[:, 7:], state)], 1)
    error = (one - other).square().mean() / one.square().mean()
    assert error < (0.2 if bits == 4 else 0.01)
    torch.testing.assert_close(parts, other, atol=0.05 * float(other.abs().max()), rtol=0)


LEFT = (".position.weight", ".router", ".rate.weight", ".step.weight", "0.layer.output.weight")
"""What is small, as those of a row a head; and columns that lie in another order, by heads."""


@pytest.mark.parametrize(
    ("kind", "tied"), [("q4_0", True), *slow(("q4_0", False), ("q8_0", True), ("q8_0", False))]
)
@pytest.mark.parametrize("name", ["llama", "qwen3", "qwen2", "qwen3-moe", "qwen3.5", "gpt2"])
def test_a_file_of_codes_runs_without_floats(name, kind, tied, tmp_path):
    write_gguf(made(name, tied=tied), tmp_path / "m.gguf", kind, {})
    assert is_mostly_quantised(GGUFFile(tmp_path / "m.gguf"))
    floats, coded = load_model(tmp_path / "m.gguf").eval(), load_packed(tmp_path / "m.gguf")
    matrices = [n for n, p in coded.named_parameters() if p.ndim == 2 and not n.endswith(LEFT)]
    assert not matrices, "a matrix became floats"
    tokens = torch.randint(96, (2, 20), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        one, other = floats(tokens), coded(tokens)
    assert (one - other).square().mean() < 1e-3 * one.square().mean()


def test_token_vectors_of_another_type_become_floats_and_the_head(tmp_path, monkeypatch):
    write_gguf(made("llama"), tmp_path / "m.gguf", "q4_0", {})
    floats = load_model(tmp_path / "m.gguf").eval()
    monkeypatch.setattr("hornbook.models.gguf.quantised.FORMS", {"Q4_0": Form(4)})
    coded = load_packed(tmp_path / "m.gguf")
    assert coded.head.weight is coded.embedding.token.weight
    tokens = torch.randint(96, (2, 20), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        one, other = floats(tokens), coded(tokens)
    assert (one - other).square().mean() < 1e-3 * one.square().mean()


def test_half_floats_stay_as_they_are_in_our_kernels_only(kernels, tmp_path):
    write_gguf(made("llama"), tmp_path / "m.gguf", "f16", {})
    assert is_mostly_quantised(GGUFFile(tmp_path / "m.gguf"), takes) == (kernels == "ours")


def ids(model, prompt, count=40):
    config = SamplingConfig(temperature=0, max_tokens=count)
    return [step.id for step in decode(model, [prompt], config, frozenset())]


@pytest.mark.parametrize("name", ["qwen3", *slow("llama", "qwen2")])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("kernels", ["torch"], indirect=True)
def test_the_short_way_gives_the_same_ids_and_the_same_state(name, bits):
    model = pack(made(name, seed=5), from_weights(bits))
    assert any(isinstance(module, FusedAttention) for module in model.modules())
    short = single_token_decoder(model)
    assert short is not None
    for prompt in ([1, 2, 3], [7] * 15, list(range(20))):
        assert ids(short, prompt) == ids(model, prompt)
    with torch.inference_mode():
        states = [model.new_state(1) for _ in range(2)]
        for token in (3, 1, 4, 1, 5):
            one, other = (
                decoder(torch.tensor([[token]]), state)
                for decoder, state in zip((model, short), states, strict=True)
            )
            assert torch.equal(one, other)
    for mine, theirs in zip(states[0].caches, states[1].caches, strict=True):
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("name", ["gpt2", "mamba2", "lfm2", "qwen3.5", "lstm"])
def test_there_is_no_short_way_through_other_blocks(name):
    model = pack(made(name), from_weights(4))
    assert single_token_decoder(model) is None
    assert name == "qwen3.5" or decoder_weights(model) is None
