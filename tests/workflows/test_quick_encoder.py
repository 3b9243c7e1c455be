"""The encoder without torch gives the vectors of the one with it, or leaves the model to it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from hornbook.core.progress import Progress
from hornbook.models import numpy_bert
from hornbook.models.encoder_presets import BertSizes, bert, bert_masked_lm, roberta
from hornbook.models.folder import load_model, save_model
from hornbook.models.prompts import write_prompts
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.open.encoder import open_encoder
from hornbook.workflows.open.quick_encoder import QuickEncoder
from tests.in_process import hornbook

TEXTS = ["Otters hold hands.", "", "水獭手牵手。", "while they sleep " * 20, "  ", "x"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer([" ".join(TEXTS) * 2], 300, folder, Progress(quiet=True))
    return folder


@pytest.fixture
def saved(tokenizer, tmp_path):
    """Saves a model of a kind; weights large enough that every part of it counts, and such as half
    floats hold, of which products are made."""

    def save(kind, halves=True, **more):
        sizes = BertSizes(vocab=300, width=32, depth=2, context=24, heads=4, hidden=48)
        model = kind(sizes, **more).build(3)
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.3 * torch.randn(weight.shape, generator=torch.Generator()))
                if halves:
                    weight.copy_(weight.half())
        save_model(model, tmp_path / "model", tokenizer_folder=tokenizer)
        return tmp_path / "model"

    return save


@pytest.mark.parametrize(
    ("kind", "prompts"), [(bert, {}), (bert_masked_lm, {"query": "query: ", "passage": "otters "})]
)
def test_vectors_are_those_of_torch(kind, prompts, saved):
    folder = saved(kind)
    write_prompts(folder, prompts)
    theirs, ours = open_encoder(folder, weights="float32"), QuickEncoder.open(folder)
    for prompt, longest in (("query", None), ("passage", 7)):
        found = ours.embed(TEXTS, longest, prompt)
        wanted = theirs.embed(TEXTS, longest, prompt)
        assert np.abs(found - wanted).max() < 1e-4, (prompt, longest)
        assert found.dtype == np.float32


def test_without_kernels_numpy_computes(saved, monkeypatch):
    folder = saved(bert, halves=False)
    wanted = open_encoder(folder, weights="float32").embed(TEXTS)
    monkeypatch.setattr(numpy_bert, "library", lambda: None)
    assert np.abs(QuickEncoder.open(folder).embed(TEXTS) - wanted).max() < 1e-4


def test_a_question_is_nearer_to_the_model_than_its_passages_are(saved):
    """Weights are rounded for a question, and more so for passages, which are many."""
    folder = saved(bert, halves=False)
    wanted = open_encoder(folder, weights="float32").embed(TEXTS)
    off, theirs = (
        np.abs(one.embed(TEXTS) - wanted).max()
        for one in (QuickEncoder.open(folder), open_encoder(folder, weights="bfloat16"))
    )
    assert off < theirs / 4


def test_half_floats_are_read(saved, tokenizer):
    folder = saved(bert)
    model = load_model(folder, dtype=torch.float16)
    save_model(model, folder, tokenizer_folder=tokenizer)
    wanted = open_encoder(folder, weights="float32").embed(TEXTS)
    assert np.abs(QuickEncoder.open(folder).embed(TEXTS) - wanted).max() < 1e-4


def test_what_is_computed_otherwise_is_left_to_torch(saved):
    assert QuickEncoder.open(saved(roberta)) is None
    assert QuickEncoder.open(saved(bert, activation="relu")) is None
    folder = saved(bert)
    assert QuickEncoder.open(folder) is not None
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    assert QuickEncoder.open(folder) is None


@pytest.mark.parametrize("damage", ["cut", "nan", "bfloat16", "config"])
def test_what_is_damaged_is_left_to_who_says_so(damage, saved):
    folder = saved(bert)
    weights = folder / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "config":
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**values, "num_hidden_layers": 3}))
    else:
        from safetensors.torch import load_file, save_file

        found = load_file(weights)
        name = next(name for name in found if "query.weight" in name)
        found[name] = found[name].bfloat16() if damage == "bfloat16" else found[name] * torch.nan
        save_file(found, weights)
    assert QuickEncoder.open(folder) is None


def test_a_question_by_both_ways_loads_no_torch(saved, tmp_path):
    (tmp_path / "a.txt").write_text("Otters hold hands. They sleep.")
    code, _, err = hornbook(
        "index", tmp_path / "a.txt", "--out", tmp_path / "i", "--encoder", saved(bert), "--wait"
    )
    assert code == 0, err
    program = (
        "import sys; from hornbook.cli import main; index = sys.argv[1]\n"
        "for command in ('search', 'ask'):\n"
        "    sys.argv = ['hornbook', command, index, 'otters hold', '--json']\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, end\n"
        "assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "i")]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    (hit,) = json.loads(found.stdout.splitlines()[0])["hits"]
    assert hit["vector"] is not None
