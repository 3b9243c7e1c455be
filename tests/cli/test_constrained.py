"""Answers of a form that was asked for, and vectors, through the command line."""

import json

import numpy as np
import pytest

from hornbook.core.progress import Progress
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import save_model
from hornbook.models.presets import qwen3
from hornbook.models.sizes import DecoderSizes
from hornbook.tokenize.train import train_tokenizer
from tests.in_process import hornbook


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    words = train_tokenizer(["好 不好 the hornbook " * 50], 300, folder / "t", Progress(True))
    sizes = DecoderSizes(
        vocab=words.vocab_size, width=16, depth=1, context=96, heads=2, kv_heads=2, head=8,
        hidden=16, tied=False,
    )  # fmt: skip
    save_model(qwen3(sizes).build(), folder / "decoder", tokenizer_folder=folder / "t")
    small = BertSizes(vocab=words.vocab_size, width=16, depth=1, context=12, heads=2, hidden=16)
    save_model(bert(small).build(), folder / "encoder", tokenizer_folder=folder / "t")
    return folder


def test_generate_writes_what_was_asked_for(models, tmp_path):
    start = ["generate", models / "decoder", "--prompt", "the", "--max-tokens", 80, "--json"]
    code, out, _ = hornbook(*start, "--choices", "好,不好")
    found = json.loads(out)
    assert code == 0 and found["text"] in ("好", "不好") and found["complete"]
    code, out, _ = hornbook(*start, "--choice", "a, b", "--choice", "c")
    assert json.loads(out)["text"] in ("a, b", "c")
    code, out, _ = hornbook(*start, "--regex", "x[0-9]{2}")
    assert json.loads(out)["text"].startswith("x")
    schema = {"type": "array", "items": {"enum": [1, "好"]}, "minItems": 2, "maxItems": 3}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    for given in (tmp_path / "s.json", json.dumps(schema)):
        code, out, _ = hornbook(*start, "--json-schema", given)
        assert code == 0 and set(json.loads(json.loads(out)["text"])) <= {1, "好"}


def test_an_answer_that_was_cut_off_is_said_to_be(models):
    asked = ["generate", models / "decoder", "--prompt", "the", "--regex", "[0-9]{30}", "--json"]
    code, out, err = hornbook(*asked, "--max-tokens", 3)
    found = json.loads(out)
    assert (code, found["complete"], found["finish_reason"]) == (1, False, "length")
    assert "cut off" in err and "--max-tokens" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--regex", "a", "--choices", "a,b"], "one of --regex, --choices, not 2"),
        (["--regex", "a", "--stop", "b"], "--stop could cut off what --regex asks for"),
        (["--regex", "(a"], "unclosed group"),
        (["--json-schema", "nowhere.json"], "--json-schema nowhere.json: the file does not exist"),
        (["--json-schema", "{]"], "not JSON"),
        (["--choices", "a,,b"], "none of them empty"),
    ],
)
@pytest.mark.parametrize("how", ["generate", "chat"])
def test_mistakes_come_before_the_model_is_opened(how, options, message):
    prompt = ["--prompt", "x"] if how == "generate" else []
    code, out, err = hornbook(how, "nowhere", *prompt, *options)
    assert (code, out, message in err, err.count("\n")) == (2, "", True, 1), err


def test_embed_writes_a_row_a_text(models, tmp_path):
    (tmp_path / "t.csv").write_text("id,words\n1,the hornbook\n2,\n3," + "the " * 40 + "\n")
    out = tmp_path / "v.npy"
    asked = ["embed", models / "encoder", "--file", tmp_path / "t.csv", "--column", "words"]
    code, printed, err = hornbook(*asked, "--out", out, "--json")
    found = json.loads(printed)
    assert code == 0, err
    assert (found["texts"], found["width"], found["cut"], found["empty"]) == (3, 16, 1, 1)
    assert np.load(out).shape == (3, 16)
    assert "1 of 3 texts are longer" in err and "1 of 3 texts are empty" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["encoder", "--column", "a"], "--column goes with --file"),
        (["encoder", "--file", "nowhere.txt"], "nowhere.txt does not exist"),
        (
            ["decoder", "--file", "FILE"],
            "is a decoder: it can generate, chat, stream and decide, not embed",
        ),
    ],
)
def test_what_cannot_be_embedded(models, tmp_path, arguments, message):
    (tmp_path / "file.txt").write_text("a\n")
    rest = [tmp_path / "file.txt" if a == "FILE" else a for a in arguments[1:]]
    asked = ["embed", models / arguments[0], *rest, "--out", tmp_path / "v.npy"]
    code, _, err = hornbook(*asked)
    assert (code, message in err) == (2, True), err
    assert not (tmp_path / "v.npy").exists()
