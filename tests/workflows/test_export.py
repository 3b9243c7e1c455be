"""Exports: what is written opens again, and the certificate says how near it is."""

import json
import shutil

import gguf
import numpy as np
import pytest
import torch

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import write_json
from hornbook.core.gguf import GGUFFile
from hornbook.corpus.build import build
from hornbook.models.folder import load_model
from hornbook.models.gguf import write
from hornbook.models.gguf.importance import measured_importance, read_importance
from hornbook.models.gguf.mixture import FILE_TYPES
from hornbook.models.gguf.quantise.encode import quantise
from hornbook.models.gguf.write import write_gguf
from hornbook.nn.contract import Context, Mask
from hornbook.workflows.exchange import importance
from hornbook.workflows.exchange.export import export
from hornbook.workflows.exchange.parity import TOLERANCES, tolerance
from hornbook.workflows.open.model import open_model
from tests.schemas import check
from tests.tiny import QUIET, Heard, decoder_folder, sentences, slow

TEXTS = ["春眠不覺曉，處處聞啼鳥。 The hornbook's 12345 words.\n"] * 50


def made(folder, preset):
    sizes = {"width": 32, "context": 96, "kv_heads": 1, "head": 16, "hidden": 32, "tied": True}
    return decoder_folder(folder, "".join(TEXTS), preset, **sizes)


@pytest.fixture(scope="module", params=["qwen3", *slow("llama")])
def model(request, tmp_path_factory):
    return made(tmp_path_factory.mktemp("model"), request.param)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return made(tmp_path_factory.mktemp("llama"), "llama")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "t.txt"
    path.write_text(TEXTS[0] * 5)
    return path


def test_a_file_of_floats_and_a_folder_from_it_are_the_same_model(model, text, tmp_path):
    found = export(model, "gguf", "f32", tmp_path / "m.gguf", text, QUIET)
    check("export", found)
    assert found["parity"] == {
        "max_logit_difference": 0.0, "same_greedy": True, "bits_per_byte_change": 0.0,
        "bits_per_byte_interval": [0.0, 0.0], "divergence": 0.0,
    }  # fmt: skip
    assert found["same_tokens"]
    assert found["tolerance"] == {"share": 1e-5, "met": True}
    assert found["bytes"]["after"] == (tmp_path / "m.gguf").stat().st_size
    written = json.loads((tmp_path / "m.gguf.parity.json").read_text())
    assert {"path": str(tmp_path / "m.gguf"), **written} == found
    assert {"hornbook", "gguf", "torch"} <= written["versions"].keys()
    found = export(tmp_path / "m.gguf", "hf", None, tmp_path / "back", text, QUIET)
    assert found["parity"]["max_logit_difference"] == 0.0
    assert (tmp_path / "back/parity.json").is_file()
    before, after = load_model(model), load_model(tmp_path / "back")
    assert before.config == after.config
    assert all(map(torch.equal, before.parameters(), after.parameters()))


def test_the_certificate_sees_what_quantising_costs(model, text, tmp_path):
    differences = []
    for kind in ("f16", "q8_0", "q4_0"):
        found = export(model, "gguf", kind, tmp_path / f"{kind}.gguf", text, QUIET)
        differences.append(found["parity"]["max_logit_difference"])
        assert found["parity"]["bits_per_byte_change"] != 0
        assert len(found["greedy"]) == 8
        low, high = found["parity"]["bits_per_byte_interval"]
        assert low <= found["parity"]["bits_per_byte_change"] <= high
        assert found["tensors"].keys() <= {"F32", "F16", kind.upper(), "Q8_0"}
        assert sum(one["bytes"] for one in found["tensors"].values()) < found["bytes"]["after"]
    assert 0 < differences[0] < differences[1] < differences[2]


def test_a_cost_above_that_of_the_type_is_told_apart_from_noise():
    assert TOLERANCES.keys() == FILE_TYPES.keys()
    for change, interval, met in (
        (0.04, [0.03, 0.05], True),
        (0.06, [0.055, 0.065], False),
        (0.06, [0.04, 0.08], True),  # may be noise
        (0.06, None, False),
    ):
        parity = {"bits_per_byte_change": change, "bits_per_byte_interval": interval}
        compared = {"parity": parity, "bits_per_byte": {"before": 1.0, "after": 1 + change}}
        assert tolerance(compared, "q4_k_m") == {"share": 0.05, "met": met}


def test_a_file_with_wrong_scales_is_not_certified(llama, text, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "quantise", lambda rows, *other: quantise(rows * 3, *other))
    heard = Heard()
    found = export(llama, "gguf", "q8_0", tmp_path / "m.gguf", text, heard)
    assert not found["tolerance"]["met"]
    assert any("more than q8_0 should cost" in line for line in heard.lines)


def test_a_file_says_what_it_is(llama, text, tmp_path):
    heard = Heard()
    found = export(llama, "gguf", "Q4_K", tmp_path / "m.gguf", text, heard)
    assert found["type"] == "q4_k_m"
    values = GGUFFile(tmp_path / "m.gguf").values
    assert values["general.name"] == llama.name
    assert values["general.file_type"] == 15
    assert values["general.quantization_version"] == 2
    assert values["tokenizer.ggml.add_bos_token"] is False
    assert values["tokenizer.chat_template"]
    assert any("Rows of 15 of 15 matrices" in line for line in heard.lines)
    assert not any("already" in line for line in heard.lines)
    source = tmp_path / "source.gguf"
    write_gguf(load_model(llama), source, "q8_0", {
        **{key: value for key, value in values.items() if key.startswith("tokenizer.")},
        "general.name": "Tablet", "general.license": "apache-2.0", "general.license.link": "there",
    })  # fmt: skip
    export(source, "gguf", "q4_0", tmp_path / "n.gguf", text, heard)
    values = GGUFFile(tmp_path / "n.gguf").values
    kept = [values[f"general.{key}"] for key in ("name", "license", "license.link")]
    assert kept == ["Tablet", "apache-2.0", "there"]
    assert values["general.file_type"] == 2
    assert any("source.gguf were Q8_0 already" in line for line in heard.lines)


def test_importance_is_taken_from_a_text_or_a_matrix_of_others(llama, text, tmp_path, monkeypatch):
    plain = export(llama, "gguf", "q2_k", tmp_path / "plain.gguf", text, QUIET)
    found = export(llama, "gguf", "Q2_K", tmp_path / "m.gguf", text, QUIET, str(text))
    check("export", found)
    assert plain["importance"] is None
    assert found["importance"]["source"] == "t.txt"
    assert found["importance"]["tokens"] > 50
    assert found["importance"]["matrices"] == 15  # seven of each block, and the head
    assert found["tensors"] == plain["tensors"]
    assert (tmp_path / "m.gguf").read_bytes() != (tmp_path / "plain.gguf").read_bytes()
    file = GGUFFile(tmp_path / "m.gguf")
    assert file.values["quantize.imatrix.dataset"] == "t.txt"
    assert file.values["quantize.imatrix.entries_count"] == 15
    opened, tokenizer = open_model(llama, "cpu")
    ids = torch.tensor([tokenizer.encode_beginning(text.read_text())[:96]])
    quick = measured_importance(opened, [ids])
    monkeypatch.setattr("hornbook.models.gguf.importance.has_bfloat16", lambda: False)
    columns = measured_importance(opened, [ids])
    assert all(np.abs(quick[name] / columns[name] - 1).max() < 0.05 for name in columns)
    with torch.inference_mode():
        into = opened.features(ids, Context(torch.arange(ids.shape[1])[None], Mask(causal=True)))
    np.testing.assert_allclose(columns["token_embd.weight"], into[0].square().mean(0), rtol=1e-4)
    matrix = imatrix(tmp_path / "imatrix.gguf", columns)
    read = read_importance(GGUFFile(matrix), opened)
    assert read.keys() == columns.keys()
    np.testing.assert_allclose(read["blk.0.ffn_down.weight"], columns["blk.0.ffn_down.weight"])
    found = export(llama, "gguf", "q2_k", tmp_path / "n.gguf", text, QUIET, str(matrix))
    assert found["importance"] == {"source": "imatrix.gguf", "tokens": None, "matrices": 15}
    wrong = imatrix(tmp_path / "other.gguf", {name: own[1:] for name, own in columns.items()})
    with pytest.raises(HornbookError, match="belongs to another model"):
        export(llama, "gguf", "q2_k", tmp_path / "n.gguf", text, QUIET, str(wrong))
    with pytest.raises(HornbookError, match="no importance matrix"):
        export(llama, "gguf", "q2_k", tmp_path / "n.gguf", text, QUIET, str(tmp_path / "m.gguf"))


def imatrix(path, columns):
    """A file as llama-imatrix writes it, of 96 tokens."""
    writer = gguf.GGUFWriter(path, "")
    writer.add_type("imatrix")
    for name, squares in columns.items():
        writer.add_tensor(f"{name}.in_sum2", 96 * squares[None])
        writer.add_tensor(f"{name}.counts", np.array([[96]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_importance_of_a_run_is_that_of_its_corpus(llama, text, tmp_path):
    run, corpus = tmp_path / "run", tmp_path / "corpus"
    shutil.copytree(llama, run / "model")
    arguments = ("gguf", "q4_k_m", tmp_path / "m.gguf", text, QUIET, "corpus")
    with pytest.raises(UsageError, match="no model of a run with a corpus"):
        export(run / "model", *arguments)
    write_json(run / "recipe.yaml", {"places": {"corpus": str(corpus)}})
    with pytest.raises(UsageError, match="is not there any more"):
        export(run, *arguments)
    build([sentences(tmp_path / "texts", "The {} and the {} see a {} today. ")], corpus)
    found = export(run, *arguments)
    assert found["importance"]["source"] == "corpus"
    assert found["importance"]["tokens"] > 500


def test_all_files_say_what_is_important(tmp_path, monkeypatch):
    folder = sentences(tmp_path / "texts", "The {} and the {} see a {}. ")
    monkeypatch.setattr(importance, "_MOST_TEXT", 3000)
    texts = list(importance._texts(folder))
    assert len(texts) >= 30
    assert 2000 < sum(map(len, texts)) <= 3000 + 30 * 512
    long = tmp_path / "long.txt"
    long.write_text("".join(f"{i} " for i in range(20_000)))
    numbers = [int(text.split()[1]) for text in importance._texts(long)]
    assert numbers[0] == 1
    assert numbers[-1] > 18_000
    assert sum(map(len, importance._texts(long))) < 4000


def test_what_does_not_go_together_is_refused_before_work(llama, tmp_path):
    for arguments, reason in (
        (("onnx", None, "x"), "Unknown form 'onnx'"),
        (("gguf", "q4_k_x", "x.gguf"), "Unknown type 'q4_k_x'. Did you mean 'q4_k_s'"),
        (("gguf", None, "x"), "ends with .gguf"),
        (("hf", "q8_0", "x"), "--type q8_0 goes with --to gguf"),
        (("hf", None, "x", "t.txt"), "--importance goes with --to gguf"),
        (("gguf", "bf16", "x.gguf", "t.txt"), "change nothing for --type bf16"),
    ):
        form, kind, out, *weighed = arguments
        with pytest.raises(UsageError, match=reason):
            export(tmp_path, form, kind, tmp_path / out, None, QUIET, *weighed)
    with pytest.raises(UsageError, match="does not exist"):
        export(llama, "gguf", "q4_k_m", tmp_path / "x.gguf", None, QUIET, "t.txt")
