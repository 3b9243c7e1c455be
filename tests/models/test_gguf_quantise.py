"""Quantised matrices: others read what we write, errors are as small as others', nothing breaks."""

import gguf
import numpy as np
import pytest
import torch

from hornbook.core.gguf import GGUFFile
from hornbook.models.convert.family import TensorRule
from hornbook.models.gguf.layouts import StoredLayout
from hornbook.models.gguf.mixture import FILE_TYPES, ModelShape, stored_as
from hornbook.models.gguf.quantise.encode import quantise
from hornbook.models.gguf.quantised import floats
from hornbook.models.gguf.write import StoredTensor, _laid_out, write_gguf
from hornbook.models.presets import PRESETS
from tests.tiny import decoder_sizes, loud

OURS = {
    "Q2_K": 0.1066, "Q3_K": 0.0293, "Q4_K": 0.00652, "Q5_K": 0.00167, "Q6_K": 0.00043,
    "IQ4_NL": 0.00739, "IQ4_XS": 0.00752,
}  # fmt: skip
"""The share of squared error that ggml's own quantisers leave of `weights`, measured."""
LIBRARY = ("F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "TQ1_0", "TQ2_0")
EITHER = ("Q4_0", "Q4_1", "Q5_0", "Q5_1")


@pytest.fixture(scope="module")
def weights():
    """(64, 2048) with the tails that weights have."""
    return np.random.default_rng(0).standard_t(6, (64, 2048)).astype(np.float32) * 0.05


def read(stored, kind):
    return gguf.dequantize(stored, gguf.GGMLQuantizationType[kind])


def lost(weights, kind, importance=None, counts=1.0):
    """The share of the squares that is error, each counted."""
    error = read(quantise(weights, kind, importance), kind) - weights
    return float((counts * error**2).sum() / (counts * weights**2).sum())


@pytest.mark.parametrize("kind", OURS)
def test_errors_are_no_larger_than_those_of_others(kind, weights):
    assert lost(weights, kind) < OURS[kind]


@pytest.mark.parametrize("kind", LIBRARY)
def test_what_the_library_writes_is_written(kind, weights):
    theirs = gguf.quantize(weights, gguf.GGMLQuantizationType[kind])
    assert np.array_equal(quantise(weights, kind), theirs.view(np.uint8))


@pytest.mark.parametrize("kind", [*OURS, *EITHER])
def test_importance_moves_error_to_where_it_costs_little(kind, weights):
    counts = np.random.default_rng(1).lognormal(0, 1.5, weights.shape[1]).astype(np.float32)
    with_it, without = (lost(weights, kind, each, counts) for each in (counts, None))
    assert with_it < 0.9 * without
    if kind in OURS:
        assert lost(weights, kind, counts) > lost(weights, kind)


@pytest.mark.parametrize("kind", [*OURS, *EITHER])
@pytest.mark.parametrize("weighed", [False, True])
def test_weights_that_break_others(kind, weighed):
    rows = np.random.default_rng(0).normal(0, 1, (12, 512)).astype(np.float32)
    rows[0] = 0  # rows of nothing
    rows[1] *= 1e-7  # scales below what a half float has
    rows[2] = np.abs(rows[2])  # one sign
    rows[3] = -np.abs(rows[3])
    rows[4] = 0.25  # all alike
    rows[5, 17] = 6e4  # one of a row, as large as a half float can be
    rows[6, ::2] = 0
    rows[7] *= 6e4 / np.abs(rows[7]).max()
    rows[8, :] = -6e4
    rows[9] *= 1e-38  # no number of 32 bits has their squares
    importance = None
    if weighed:
        importance = np.ones(512, np.float32)
        importance[:256] = 0  # whole blocks of columns that no text used
        importance[300] = 1e30
    with np.errstate(all="raise", under="ignore"):
        found = read(quantise(rows, kind, importance), kind)
    assert np.isfinite(found).all()
    assert not found[0].any()
    assert np.abs(found[9]).max() < 1e-7
    group = {"Q2_K": 1.5, "Q3_K": 1.3}.get(kind, 1.1)
    for row in (2, 3, 4, 6, 7, 8, 10, 11):
        assert np.abs(found[row]).max() < group * np.abs(rows[row]).max()
        left = np.linalg.norm(found[row] - rows[row]) / np.linalg.norm(rows[row])
        assert left < (0.45 if kind == "Q2_K" else 0.25), row


def test_threads_and_rows_change_no_byte(weights, monkeypatch):
    whole = quantise(weights, "Q4_K")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert np.array_equal(quantise(weights, "Q4_K"), whole)
    assert np.array_equal(quantise(weights[40:41], "Q4_K"), whole[40:41])


def kinds(name, model, shape=(512, 512)):
    """How the parts of a model's blocks are stored."""
    parts = ("attn_q", "attn_v", "attn_output", "ffn_up", "ffn_down", "attn_qkv")
    return {
        part: [
            stored_as(f"blk.{block}.{part}.weight", shape, FILE_TYPES[name], model)
            for block in range(model.depth)
        ]
        for part in parts
    }


def test_a_mixture_is_what_its_name_means_elsewhere():
    model = ModelShape(depth=24, shared=1, tied=True, weighed=False)
    found = kinds("q4_k_m", model)
    better = [0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23]
    for part in ("attn_v", "ffn_down"):
        assert [i for i, kind in enumerate(found[part]) if kind == "Q6_K"] == better
        assert found[part].count("Q4_K") == 12
    assert set(found["attn_q"]) == {"Q4_K"} == set(found["attn_output"])
    assert found["attn_qkv"] == found["attn_v"]
    found = kinds("q3_k_m", model)
    assert found["attn_v"] == ["Q5_K"] * 2 + ["Q4_K"] * 22
    assert found["ffn_down"] == ["Q5_K"] + ["Q4_K"] * 23
    assert set(kinds("q2_k", model)["attn_v"]) == {"Q3_K"}
    assert set(kinds("q2_k", model._replace(shared=4))["attn_v"]) == {"Q4_K"}
    assert kinds("iq4_xs", model)["ffn_down"] == ["Q5_K"] * 3 + ["IQ4_XS"] * 21
    assert set(kinds("iq4_xs", model._replace(weighed=True))["ffn_down"]) == {"IQ4_XS"}


@pytest.mark.parametrize(
    ("name", "of_32", "of_none"),
    [("q4_k_s", "Q5_0", "F16"), ("q6_k", "Q8_0", "F16"), ("q2_k_s", "IQ4_NL", "F16")],
)
def test_rows_that_no_block_divides_get_a_type_that_does(name, of_32, of_none):
    model = ModelShape(depth=24, shared=1, tied=True, weighed=False)
    assert kinds(name, model, (8, 576))["attn_q"][20] == of_32
    assert kinds(name, model, (8, 100))["attn_q"][20] == of_none
    for other, shape in (("blk.0.attn_q.bias", (512,)), ("position_embd.weight", (8, 512))):
        assert stored_as(other, shape, FILE_TYPES[name], model) == "F32"


def test_the_head_has_more_bits():
    for tied, head in ((True, "token_embd.weight"), (False, "output.weight")):
        model = ModelShape(depth=2, shared=1, tied=tied, weighed=False)
        assert stored_as(head, (8, 256), FILE_TYPES["q4_k_m"], model) == "Q6_K"
    assert stored_as("token_embd.weight", (8, 256), FILE_TYPES["q4_k_m"], model) == "Q4_K"


def test_numbers_and_types_are_those_of_the_library():
    for name, type_ in FILE_TYPES.items():
        word = {"f32": "ALL_F32"}.get(name, f"MOSTLY_{name.upper()}")
        assert gguf.LlamaFileType[word] == type_.number
        for kind in (type_.kind, type_.head, *(raised.kind for raised in type_.raised)):
            assert kind is None or kind in gguf.GGMLQuantizationType.__members__


def test_importance_follows_the_order_of_columns_in_the_file():
    backwards = StoredLayout(lambda x: x[:, ::-1], lambda x: x[:, ::-1])
    stacked = StoredLayout(
        lambda x: x.reshape(2, 3, 4), lambda x: x, ours=lambda s: (s[0] * s[1], s[2])
    )
    stored = [
        StoredTensor(TensorRule("blk.0.ssm_out.weight", ()), (3, 4), "F32"),
        StoredTensor(TensorRule("blk.0.ffn_up_exps.weight", ()), (2, 3, 4), "F32"),
        StoredTensor(TensorRule("output.weight", ()), (3, 4), "F32"),
    ]
    layouts = {"ssm_out.weight": backwards, "ffn_up_exps.weight": stacked}
    found = _laid_out({tensor.name: np.arange(4.0) for tensor in stored}, stored, layouts)
    assert [columns.tolist() for columns in found.values()] == [[3, 2, 1, 0], *[[0, 1, 2, 3]] * 2]


def test_what_stands_in_for_a_k_quant_is_chosen_as_carefully(tmp_path):
    """Weights of sixteen even steps: from the largest to the smallest alone, 31 steps miss them."""
    model = loud(PRESETS["llama"](decoder_sizes(width=64, heads=4, head=16, hidden=64)).build())
    grid = np.random.default_rng(0).integers(0, 16, (64, 64)).astype(np.float32) * 0.01 - 0.07
    model.get_parameter("stack.layers.1.layer.up.weight").copy_(torch.from_numpy(grid))
    errors = []
    for kind in ("q5_1", "q5_k_s"):
        write_gguf(model, tmp_path / "m.gguf", kind, {})
        file = GGUFFile(tmp_path / "m.gguf")
        assert file.tensors["blk.0.ffn_up.weight"].kind == "Q5_1"
        errors.append(np.abs(floats(file, "blk.0.ffn_up.weight") - grid).max())
    assert errors[1] < errors[0] / 2
