"""A model on disk: exact, whole or not at all, and clear about what it cannot open."""

import errno
import json
import math
import re
import shutil
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from hornbook.core.errors import HornbookError, UsageError
from hornbook.models import folder as folder_module
from hornbook.models.folder import load_config, load_model, save_model
from hornbook.models.place import resolve
from hornbook.models.presets import MASKED_PRESETS, PRESETS
from tests.tiny import decoder_sizes

SIZES = decoder_sizes(heads=4, kv_heads=4, head=4)
EMBEDDING = "model.embed_tokens.weight"
NORM = "model.layers.1.input_layernorm.weight"


def model(preset="qwen3", seed=1, **sizes):
    return PRESETS[preset](SIZES.model_copy(update=sizes)).build(seed)


def equal(one, other) -> bool:
    pairs = zip(one.named_parameters(), other.named_parameters(), strict=True)
    return all(n == m and torch.equal(v, w) for (n, v), (m, w) in pairs)


@pytest.fixture
def saved(tmp_path):
    save_model(model(), tmp_path / "m")
    return tmp_path / "m"


def rewrite(saved, change):
    """Change the tensors of a saved folder."""
    tensors = load_file(saved / "model.safetensors")
    change(tensors)
    save_file(tensors, saved / "model.safetensors", metadata={"format": "pt"})


def refused(place, *parts, error=HornbookError):
    """load_model refuses, and the message has all parts."""
    with pytest.raises(error) as caught:
        load_model(place)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_saved_is_what_is_loaded(preset, tied, tmp_path):
    made = model(preset, tied=tied)
    save_model(made, tmp_path / "m", card="# Card\n", generation={"temperature": 0.7})
    loaded = load_model(tmp_path / "m")
    assert loaded.config == made.config == load_config(tmp_path / "m")
    assert equal(loaded, made)
    always = preset in MASKED_PRESETS
    assert (loaded.head.weight is loaded.embedding.token.weight) == (tied or always)
    assert all(weight.requires_grad for weight in loaded.parameters())
    names = {path.name for path in (tmp_path / "m").iterdir()}
    written = {"config.json", "generation_config.json", "model.safetensors", "README.md"}
    assert names == {*written, "stage.json"}
    assert json.loads((tmp_path / "m/generation_config.json").read_text()) == {"temperature": 0.7}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_type_and_a_device_are_as_asked_and_saved_as_they_are(saved, tmp_path):
    short = load_model(saved, device="cpu", dtype=torch.bfloat16)
    assert {weight.dtype for weight in short.parameters()} == {torch.bfloat16}
    save_model(short, tmp_path / "short")
    assert json.loads((tmp_path / "short/config.json").read_text())["torch_dtype"] == "bfloat16"
    assert equal(load_model(tmp_path / "short", dtype=torch.bfloat16), short)


@pytest.mark.parametrize("fails", ["write_json", "write_tensors", "write_text"])
def test_a_failing_write_leaves_the_old_model(saved, fails, monkeypatch):
    def full(path, *_):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(folder_module, fails, full)
    with pytest.raises(HornbookError, match="disk is full"):
        save_model(model(seed=2), saved, card="new")
    assert equal(load_model(saved), model())
    assert [path.name for path in saved.parent.iterdir()] == ["m"]


def test_a_failing_last_step_brings_the_old_model_back(saved, monkeypatch):
    rename = Path.rename

    def broken(path, target):
        if path.suffix == ".partial":
            raise OSError(errno.EACCES, "Permission denied", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(HornbookError, match="No permission"):
        save_model(model(seed=2), saved)
    assert equal(load_model(saved), model())
    assert [path.name for path in saved.parent.iterdir()] == ["m"]


def test_a_newer_model_replaces_an_older_one_and_nothing_else(saved):
    (saved / "mine.txt").write_text("not a model's")
    save_model(model("llama"), saved)
    assert equal(load_model(saved), model("llama"))
    assert not (saved / "README.md").exists()
    assert (saved / "mine.txt").read_text() == "not a model's"


def test_other_things_are_not_overwritten(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for place in (tmp_path, tmp_path / "thesis.tex"):
        with pytest.raises(UsageError, match=r"thesis\.tex.*would be lost"):
            save_model(model(), place)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_run_folder_means_its_model(saved):
    run = saved.parent / "run"
    run.mkdir()
    shutil.move(saved, run / "model")
    assert resolve(run) == run / "model"
    assert resolve(run / "model") == run / "model"
    assert equal(load_model(run), model())


def test_what_is_not_a_model_is_named_for_what_it_is(saved):
    parent = saved.parent
    (parent / "empty").mkdir()
    (parent / "corpus").mkdir()
    for name in ("b.bin", "c.txt", "corpus/card.json"):
        (parent / name).write_bytes(b"")
    for name, found in {
        "nowhere": "does not exist",
        "mm": "does not exist. Did you mean 'm'?",
        "empty": "is empty",
        "corpus": "holds card.json",
        "b.bin": "can run any program",
        "c.txt": "is a file",
    }.items():
        valid = "A model is a folder with config.json"
        refused(parent / name, str(parent / name), found, valid, error=UsageError)


def test_pickled_weights_are_refused_with_the_reason(saved):
    (saved / "model.safetensors").rename(saved / "pytorch_model.bin")
    refused(saved, "pytorch_model.bin", "can run any program")
    (saved / "pytorch_model.bin").unlink()
    refused(saved, f"{saved} has no model.safetensors.")


def test_a_file_cut_short_is_named(saved):
    path = saved / "model.safetensors"
    whole = path.read_bytes()
    for size in (0, 5, 500, len(whole) - 1):
        path.write_bytes(whole[:size])
        refused(saved, str(path), "not a whole safetensors file")


def test_a_wrong_shape_is_named_with_both(saved):
    rewrite(saved, lambda tensors: tensors.update({NORM: torch.ones(15)}))
    refused(saved, "model.safetensors", NORM, "(15,)", "(16,)")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("vocab_size", 55, "model.embed_tokens.weight has shape (50, 16)"),
        ("vocab_size", 10**9, "weights"),
        ("vocab_size", 10**15, "vocab_size = 1000000000000000"),
        ("vocab_size", -1, "vocab_size = -1"),
        ("hidden_size", 2**30, "weights"),
        ("intermediate_size", 10**9, "weights"),
        ("num_hidden_layers", 200_000, "num_hidden_layers = 200000"),
        ("num_hidden_layers", 9_000, "9,000 blocks, but the file has"),
        ("num_hidden_layers", [2], "num_hidden_layers = [2]"),
    ],
)
def test_sizes_that_are_not_true_take_no_memory_and_no_time(key, value, said, saved):
    path = saved / "config.json"
    values = json.loads(path.read_text()) | {key: value}
    values.pop("layer_types", None)  # it says the same once more
    path.write_text(json.dumps(values))
    started = time.perf_counter()
    refused(saved, said)
    assert time.perf_counter() - started < 3


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_that_are_no_numbers_are_named(value, kind, saved):
    def spoil(tensors):
        tensors[NORM] = tensors[NORM].to(kind)
        tensors[NORM][3] = value

    rewrite(saved, spoil)
    refused(saved, "model.safetensors", NORM, "NaN or infinite weights")


def test_large_weights_are_numbers(saved):
    rewrite(saved, lambda tensors: tensors.update({NORM: torch.full((16,), 3e38)}))
    load_model(saved)


def test_a_missing_and_a_surplus_tensor_are_named(saved):
    rewrite(saved, lambda tensors: tensors.update({"model.extra": tensors.pop(NORM)}))
    refused(saved, NORM, "missing")
    rewrite(saved, lambda tensors: tensors.update({NORM: torch.ones(16)}))
    refused(saved, "model.safetensors", "model.extra", "(16,)")


def test_weights_that_are_not_floats_are_refused(saved):
    rewrite(saved, lambda tensors: tensors.update({NORM: torch.ones(16, dtype=torch.int8)}))
    refused(saved, NORM, "int8")


def test_constants_of_old_files_are_passed_over(tmp_path):
    save_model(model("gpt2"), tmp_path / "m")
    masks = {"transformer.h.0.attn.bias": torch.ones(1, 1, 32, 32).tril()}
    rewrite(tmp_path / "m", lambda tensors: tensors.update(masks))
    assert equal(load_model(tmp_path / "m"), model("gpt2"))


def test_a_tied_head_in_the_file_must_be_the_embedding(tmp_path):
    save_model(model(tied=True), tmp_path / "m")
    rewrite(tmp_path / "m", lambda ts: ts.update({"lm_head.weight": ts[EMBEDDING].clone()}))
    assert equal(load_model(tmp_path / "m"), model(tied=True))
    rewrite(tmp_path / "m", lambda ts: ts["lm_head.weight"].add_(1))
    refused(tmp_path / "m", "lm_head.weight", "tie_word_embeddings")


def test_pieces_are_found_by_the_index_and_stay_inside_the_folder(saved):
    tensors = load_file(saved / "model.safetensors")
    (saved / "model.safetensors").unlink()
    half = len(tensors) // 2
    owner = {name: f"part-{i >= half}.safetensors" for i, name in enumerate(tensors)}
    for part in set(owner.values()):
        save_file({name: t for name, t in tensors.items() if owner[name] == part}, saved / part)
    index = saved / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": owner}))
    assert equal(load_model(saved), model())
    (saved / "part-True.safetensors").unlink()
    refused(saved, str(saved / "part-True.safetensors"), "does not exist")
    index.write_text(
        json.dumps({"weight_map": dict.fromkeys(owner, "../m/part-False.safetensors")})
    )
    refused(saved, str(index), "'../m/part-False.safetensors'")
    index.write_text("{}")
    refused(saved, str(index), "weight_map")


def test_a_broken_config_is_named(saved):
    for text in ("{", "[]", '{"model_type": "llama"}'):
        (saved / "config.json").write_text(text)
        refused(saved, str(saved / "config.json"))


def tokenizer(place, size):
    """The least that the tokenizer file of a vocabulary of `size` can be."""
    place.mkdir(exist_ok=True)
    vocab = {chr(0x4E00 + i): i for i in range(size - 1)}
    values = {"model": {"vocab": vocab}, "added_tokens": [{"id": size - 1, "content": "<|pad|>"}]}
    (place / "tokenizer.json").write_text(json.dumps(values))


def test_a_tokenizer_larger_than_the_embedding_is_refused(saved):
    tokenizer(saved, 50)
    load_model(saved)
    tokenizer(saved, 51)
    reason = re.escape(f"{saved / 'tokenizer.json'} has ids up to 50") + ".* 50 tokens, 0 to 49"
    with pytest.raises(HornbookError, match=reason):
        load_model(saved)
    with pytest.raises(HornbookError, match=reason):
        save_model(model(), saved.parent / "new", tokenizer_folder=saved)
    assert not (saved.parent / "new").exists()


def test_a_tokenizer_of_another_kind_is_refused(saved):
    (saved / "tokenizer.json").write_text("[]")
    refused(saved, str(saved / "tokenizer.json"), "tokenizers")
