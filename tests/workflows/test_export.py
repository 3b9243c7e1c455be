"""Exports: what is written opens again, and the certificate says how near it is."""

import json

import pytest
import torch

from hornbook.core.errors import UsageError
from hornbook.models.folder import load_model
from hornbook.workflows.exchange.export import export
from tests.schemas import check
from tests.tiny import QUIET, decoder_folder

TEXTS = ["春眠不覺曉，處處聞啼鳥。 The hornbook's 12345 words.\n"] * 50


@pytest.fixture(scope="module", params=["qwen3", "llama"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    sizes = {"width": 32, "context": 96, "kv_heads": 1, "head": 16, "hidden": 32, "tied": True}
    return decoder_folder(folder, "".join(TEXTS), request.param, **sizes)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "t.txt"
    path.write_text(TEXTS[0] * 5)
    return path


def test_a_file_of_floats_and_a_folder_from_it_are_the_same_model(model, text, tmp_path):
    found = export(model, "gguf", "f32", tmp_path / "m.gguf", text, QUIET)
    check("export", found)
    assert found["parity"] == {
        "max_logit_difference": 0.0, "same_greedy": True, "bits_per_byte_change": 0.0
    }  # fmt: skip
    assert found["same_tokens"]
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
    assert 0 < differences[0] < differences[1] < differences[2]


def test_what_does_not_go_together_is_refused_before_work(tmp_path):
    for arguments, reason in (
        (("onnx", None, "x"), "Unknown form 'onnx'"),
        (("gguf", "q4_k", "x.gguf"), "Unknown type 'q4_k'"),
        (("gguf", None, "x"), "ends with .gguf"),
        (("hf", "q8_0", "x"), "--type q8_0 goes with --to gguf"),
    ):
        form, kind, out = arguments
        with pytest.raises(UsageError, match=reason):
            export(tmp_path, form, kind, tmp_path / out, None, QUIET)
