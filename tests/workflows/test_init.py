"""Pretraining goes on from a model in any form that opens, and refuses what text cannot train."""

import json

import pytest

from hornbook.core.errors import UsageError
from hornbook.corpus.build import build
from hornbook.models.classifier import on_decoder
from hornbook.models.folder import load_config, load_model, save_model
from hornbook.models.place import INDEX, WEIGHTS
from hornbook.models.presets import PRESETS
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.exchange.export import export
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.run import run as train
from tests.tiny import QUIET, decoder_sizes, slow

TEXT = "春眠不覺曉，處處聞啼鳥。 The hornbook's words.\n"
SIZES = decoder_sizes(vocab=300, width=32, context=48, head=16, hidden=32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("init")
    (folder / "text").mkdir()
    for i in range(30):
        (folder / "text" / f"{i}.txt").write_text(f"{i}. {TEXT}" * (3 + i % 5))
    build([folder / "text"], folder / "corpus", progress=QUIET)
    train_tokenizer([TEXT] * 50, 299, folder / "tokenizer", QUIET)
    model = PRESETS["qwen3"](SIZES).build()
    save_model(model, folder / "model", tokenizer_folder=folder / "tokenizer")
    return folder


def go_on(folder, init, run, **plan):
    project = Text(folder / "corpus", init=init)
    values = {
        "tokens": 600, "plan": {"rows": 4, **plan}, "compiled": False, "dtype": "float32",
        "device": "cpu",
    }  # fmt: skip
    return train(project, run, project.request(values), progress=QUIET)


def pieces(folder, place):
    """The same model with its weights in two files."""
    from safetensors.numpy import load_file, save_file

    place.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (place / name).write_bytes((folder / "model" / name).read_bytes())
    tensors = load_file(folder / "model" / WEIGHTS)
    names = sorted(tensors)
    owners = {name: f"part{i % 2}.safetensors" for i, name in enumerate(names)}
    for part in set(owners.values()):
        save_file({n: tensors[n] for n in names if owners[n] == part}, place / part)
    (place / INDEX).write_text(json.dumps({"weight_map": owners}))
    return place


@pytest.mark.parametrize("form", ["pieces", "gguf", *slow("pulled", "folder")])
def test_any_form_of_a_model_goes_on(folder, form, tmp_path, monkeypatch):
    init = folder / "model"
    if form == "pieces":
        init = pieces(folder, tmp_path / "pieces")
    elif form == "gguf":
        init = tmp_path / "m.gguf"
        export(folder / "model", "gguf", "f32", init, None, QUIET)
    elif form == "pulled":
        monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "home"))
        (tmp_path / "home/models").mkdir(parents=True)
        (tmp_path / "home/models/mine").symlink_to(init)
        init = type(init)("mine")
    result = go_on(folder, init, tmp_path / "run")
    assert 0 < result["bits_per_byte"]["value"] < 9
    made = load_model(tmp_path / "run")
    assert made.config.context == load_config(folder / "model").context
    assert (tmp_path / "run/model/tokenizer.json").is_file()
    assert result["forecast"]["targets"] == result["tokens"]


def test_a_window_is_no_longer_than_the_model_sees(folder, tmp_path):
    with pytest.raises(UsageError, match="sees 48 tokens; 64 is too long"):
        go_on(folder, folder / "model", tmp_path / "run", context=64)
    assert not (tmp_path / "run").exists()


def test_a_classifier_is_not_trained_by_text_alone(folder, tmp_path):
    model = on_decoder(PRESETS["qwen3"](SIZES), ("a", "b")).build()
    save_model(model, tmp_path / "c", tokenizer_folder=folder / "tokenizer")
    with pytest.raises(UsageError, match="neither continues text nor fills in words"):
        go_on(folder, tmp_path / "c", tmp_path / "run")
