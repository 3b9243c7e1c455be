"""GGUF files: exact where they can be, as others read them, and clear about what is wrong."""

import shutil

import gguf
import pytest
import torch
import transformers

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile
from hornbook.models.folder import load_config, load_model
from hornbook.models.gguf.mixture import FILE_TYPES
from hornbook.models.gguf.names import _NAMES, ARCHITECTURES
from hornbook.models.gguf.write import write_gguf
from hornbook.models.place import resolve
from hornbook.models.presets import PRESETS, qwen3
from hornbook.models.variants import gemma2, mistral, phi3, smollm3
from hornbook.nn.frequencies import (
    LinearScaling,
    Llama3Scaling,
    LongScaling,
    RotaryConfig,
    YarnScaling,
)
from tests.tiny import decoder_sizes, loud

SIZES = decoder_sizes(vocab=70, width=64, heads=4, head=16, hidden=96)
TOKENS = torch.randint(70, (2, 20), generator=torch.Generator().manual_seed(1))


PRESET = {"qwen3moe": "qwen3-moe", "qwen35": "qwen3.5"}
"""Architectures that we call otherwise."""


def made(name, **sizes):
    kv_heads = {"kv_heads": 4} if name == "gpt2" else {}
    return loud(
        PRESETS[PRESET.get(name, name)](SIZES.model_copy(update={**kv_heads, **sizes})).build()
    )


@pytest.fixture
def llama(tmp_path):
    write_gguf(made("llama"), tmp_path / "m.gguf", "f32", {})
    return tmp_path / "m.gguf"


def refused(path, *parts):
    with pytest.raises(HornbookError) as caught:
        load_model(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_written_is_what_is_read(name, tied, tmp_path):
    model = made(name, tied=tied)
    if (name, tied) in (("gemma2", False), ("olmo2", True)):
        with pytest.raises(HornbookError, match=f"a {name} model of this kind needs: a head"):
            write_gguf(model, tmp_path / "m.gguf", "f32", {})
        return
    write_gguf(model, tmp_path / "m.gguf", "f32", {})
    back = load_model(tmp_path / "m.gguf")
    assert back.config == model.config == load_config(tmp_path / "m.gguf")
    for (one, weight), (other, same) in zip(
        model.named_parameters(), back.named_parameters(), strict=True
    ):
        assert one == other
        if one.endswith((".excess", ".decay_log")):  # stored as what they come to
            torch.testing.assert_close(weight, same, atol=2e-6, rtol=1e-6)
        else:
            assert torch.equal(weight, same)
    assert (back.head.weight is back.embedding.token.weight) == tied
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("llama", {}),
        ("qwen2", {}),
        ("qwen3", {"head": 128}),
        ("gpt2", {"context": 1024, "hidden": 256}),
    ],
)
def test_transformers_reads_the_same(name, sizes, tmp_path):
    """Their reader has names and the order of rows from llama.cpp, not from us.

    sizes: what their reader takes for granted instead of reading it; it counts tokens, too.
    """
    model = made(name, **sizes)
    tokens = [str(i) for i in range(SIZES.vocab)]
    write_gguf(model, tmp_path / "m.gguf", "f32", {"tokenizer.ggml.tokens": tokens})
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="m.gguf").eval()
    torch.testing.assert_close(model(TOKENS), theirs(TOKENS).logits, atol=1e-4, rtol=0)


SCALINGS = {
    "linear": LinearScaling(factor=4.0),
    "llama3": Llama3Scaling(factor=32.0, original=8192),
    "llama3-own": Llama3Scaling(factor=32.0, original=128),
    "yarn": YarnScaling(factor=4.0, original=8, attention=1.3),
    "long": LongScaling(short=(1.0, 1.2) * 4, long=(2.0, 3.1) * 4, original=16, attention=1.1),
}


@pytest.mark.parametrize("kind", SCALINGS)
def test_what_stretches_a_context_is_in_the_file(kind, tmp_path):
    model = loud(PRESETS["llama"](SIZES, rotary=RotaryConfig(scaling=SCALINGS[kind])).build())
    write_gguf(model, tmp_path / "m.gguf", "f32", {})
    back = load_model(tmp_path / "m.gguf")
    torch.testing.assert_close(back(TOKENS), model(TOKENS), atol=1e-5, rtol=0)
    assert (back.config == model.config) == (kind != "llama3-own")  # known by its divisors alone


def test_biases_of_queries_and_keys_are_reordered_too(tmp_path):
    config = PRESETS["llama"](SIZES, biased=True)
    model = loud(config.build())
    write_gguf(model, tmp_path / "m.gguf", "f32", {})
    torch.testing.assert_close(load_model(tmp_path / "m.gguf")(TOKENS), model(TOKENS))
    stored = gguf.GGUFReader(tmp_path / "m.gguf")
    bias = next(t.data for t in stored.tensors if t.name == "blk.0.attn_q.bias")
    ours = model.get_parameter("stack.layers.0.layer.query.bias").numpy()
    assert bias[:4].tolist() == [ours[0], ours[8], ours[1], ours[9]]


@pytest.mark.parametrize(("kind", "bound"), [("f16", 1e-3), ("q8_0", 5e-3), ("q4_0", 0.1)])
def test_fewer_bits_are_as_near_as_they_can_be(kind, bound, tmp_path):
    """bound: of the error of a matrix over its largest weight, half a step of its scale."""
    model = made("qwen3", tied=True)
    write_gguf(model, tmp_path / "m.gguf", kind, {})
    back = dict(load_model(tmp_path / "m.gguf").named_parameters())
    for name, weight in model.named_parameters():
        error = (back[name] - weight).abs().max() / weight.abs().max()
        assert error < (1e-2 if "embedding" in name else bound), name
        assert error == 0 or weight.ndim == 2
    kinds = {place.kind for place in GGUFFile(tmp_path / "m.gguf").tensors.values()}
    last = {"q4_0": {"Q4_0", "Q8_0"}, "q8_0": {"Q8_0"}, "f16": {"F16"}}
    assert kinds == {"F32"} | last[kind]
    assert GGUFFile(tmp_path / "m.gguf").values["general.file_type"] == FILE_TYPES[kind].number


@pytest.mark.parametrize("kind", ["Q4_1", "Q5_1", "BF16", "F64"])
def test_types_that_others_write(kind, llama):
    """A file as ours, its matrices stored by the library as another type."""
    file = GGUFFile(llama)
    writer = gguf.GGUFWriter(llama.with_name("other.gguf"), "llama")
    for key, value in file.values.items():
        if key.startswith("llama."):
            (writer.add_float32 if isinstance(value, float) else writer.add_uint32)(key, value)
    expected, type_ = {}, gguf.GGMLQuantizationType[kind]
    for name, place in file.tensors.items():
        floats = gguf.dequantize(file.read(name), gguf.GGMLQuantizationType.F32)
        if len(place.shape) == 1:
            writer.add_tensor(name, floats)
        elif kind == "F64":
            writer.add_tensor(name, floats.astype("float64"))
        else:
            stored = gguf.quantize(floats, type_)
            writer.add_tensor(name, stored, raw_dtype=type_)
            floats = gguf.dequantize(stored, type_)
        expected[name] = torch.tensor(floats)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    parameters = dict(load_model(llama.with_name("other.gguf")).named_parameters())
    up = parameters["stack.layers.1.layer.up.weight"]
    assert torch.equal(up, expected["blk.0.ffn_up.weight"])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_names_are_those_of_the_library(name):
    architecture = {value: key for key, value in gguf.MODEL_ARCH_NAMES.items()}[name]
    names = gguf.get_tensor_name_map(architecture, 2)
    family, table = _NAMES[name]
    used = {rule.theirs.rpartition(".")[0] for rule in family.rules}
    for theirs, ours in table.items():
        if theirs in used:
            found = names.get_name(theirs.replace(".{part}", "").format(block=1))
            # The rules have norms of queries and keys, and heads, for families that have none.
            absent = found is None and ("_norm" in theirs or theirs == "lm_head")
            assert absent or found == ours.format(block=1)


def test_what_others_offer_in_other_ways_is_refused_with_what_to_do(llama):
    whole = bytearray(llama.read_bytes())
    llama.write_bytes(whole[:4] + whole[4:8][::-1] + whole[8:])
    refused(llama, "is big-endian; the same model is offered little-endian")
    llama.write_bytes(whole[:4] + b"\x07\0\0\0" + whole[8:])
    refused(llama, "has version 7; only 2 and 3")


def test_a_type_from_tomorrow_is_refused_with_those_that_are_there(llama):
    whole, name = llama.read_bytes(), b"blk.0.ffn_up.weight"
    at = whole.index(name) + len(name) + 4 + 2 * 8  # behind the number of axes and two of them
    llama.write_bytes(whole[:at] + (250).to_bytes(4, "little") + whole[at + 4 :])
    refused(llama, "as type 250, which is not known here. Ask for the same model as F16, Q8_0")


def test_a_file_cut_short_is_named_at_any_length(llama):
    whole = llama.read_bytes()
    for size in (0, 3, 10, 30, 100, 500, 2000, len(whole) // 2, len(whole) - 1):
        llama.write_bytes(whole[:size])
        refused(llama, "cut short" if size > 24 else "not a GGUF file")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"llama", b"lamda", "general.architecture = 'lamda' cannot be opened"),
        (b"GGUF\x03", b"GGUF\x09", "version 9"),
        (b"blk.0.ffn_up", b"blk.0.ffn_in", "the tensor blk.0.ffn_up.weight is missing"),
        (b"token_embd", b"token_emdb", "token_embd.weight is missing"),
    ],
)
def test_what_is_wrong_is_named(llama, old, new, reason):
    llama.write_bytes(llama.read_bytes().replace(old, new))
    refused(llama, reason)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.rope.scaling.type", "yarm"),
        ("llama.rope.scaling.attn_factor", 2.0),
        ("llama.expert_count", 8),
        ("llama.rope.dimension_count", 8),
        ("llama.vocab_size", 71),
        ("llama.block_count", 10**9),
        ("llama.block_count", 3),
        ("tokenizer.ggml.tokens", ["a"] * 69),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(key, value, tmp_path):
    path = tmp_path / "m.gguf"
    write_gguf(made("llama"), path, "f32", {key: value})
    shown = str(len(value)) if isinstance(value, list) else str(value)
    refused(path, "blk.2.attn_norm.weight is missing" if value == 3 else shown)


def test_what_gguf_cannot_say_is_refused_before_anything_is_written(tmp_path):
    far = RotaryConfig(scaling=Llama3Scaling(factor=8, original=8192))
    for config, said in (
        (qwen3(SIZES, rotary=far), "qwen3 computes no positions scaled as llama3"),
        (mistral(SIZES), "mistral model cannot be written"),
        (smollm3(SIZES, without=(0,)), "every fourth"),
        (gemma2(SIZES, scale=0.5), "scale of scores of 0.5"),
        (gemma2(SIZES.model_copy(update={"tied": True}), cap=None), "without a cap"),
        (phi3(SIZES.model_copy(update={"head": 32})), "as wide as the model"),
    ):
        with pytest.raises(HornbookError, match=said):
            write_gguf(config.build(), tmp_path / "m.gguf", "f16", {})
    relu = PRESETS["llama"](SIZES, activation="relu").build()
    biased = PRESETS["qwen3"](SIZES, biased=True).build()
    for model, reason in ((relu, "hidden_act"), (biased, "attention_bias")):
        with pytest.raises(HornbookError, match=reason):
            write_gguf(model, tmp_path / "m.gguf", "f16", {})
    large = made("llama")
    with torch.no_grad():
        large.head.weight[3, 5] = 1e6
    with pytest.raises(HornbookError, match=r"output\.weight has weights up to 1e\+06.*use f32"):
        write_gguf(large, tmp_path / "m.gguf", "f16", {})
    assert not list(tmp_path.iterdir())


def test_a_folder_or_a_pulled_name_with_one_file_means_that_file(llama, tmp_path, monkeypatch):
    assert resolve(llama.parent) == resolve(llama) == llama
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
    (tmp_path / "home/models").mkdir(parents=True)
    shutil.copytree(llama.parent, tmp_path / "home/models/tiny", ignore=lambda *_: ["home"])
    monkeypatch.chdir(tmp_path)
    assert load_config(resolve(type(llama)("tiny"))) == load_config(llama)
