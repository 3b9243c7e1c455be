"""`hornbook explain`: whatever the model is, what comes out is its own answer, taken apart."""

import json

import numpy as np
import pytest

from hornbook.baselines.linear_classifier import make
from hornbook.models.classifier import on_encoder
from hornbook.models.encoder_presets import BertSizes, ViTSizes, bert, bert_masked_lm, vit
from hornbook.models.folder import save_model
from hornbook.models.pixels import PREPROCESSOR, PixelsConfig
from hornbook.models.presets import PRESETS
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
from hornbook.tokenize.masking import add_mask
from hornbook.tokenize.train import train_tokenizer
from hornbook.workflows.understand import explained_model
from tests.in_process import hornbook
from tests.tiny import QUIET, decoder_sizes, loud

TEXT = "the hornbook was a small tablet of wood from which the child learned 春眠不覺曉"
SMALL = {"width": 16, "depth": 1, "heads": 2, "hidden": 16}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    vocab = train_tokenizer([TEXT * 20], 320, folder / "t", QUIET).vocab_size
    sizes = decoder_sizes(vocab=vocab, depth=1, context=48)
    vocab = add_mask(folder / "t", folder / "with mask").vocab_size
    small = BertSizes(vocab=vocab, context=64, **SMALL)
    side = SideSizes(depth=1, heads=2, hidden=16)
    pair = PairSizes(
        vocab=vocab, width=16, context=48, encoder=side, decoder=side, start=0, dropout=0.0
    )
    networks = {
        "decoder": PRESETS["llama"](sizes),
        "recurrent": PRESETS["lstm"](sizes),
        "masked": bert_masked_lm(small),
        "encoder": bert(small),
        "label": on_encoder(bert(small), ("ham", "spam")),
        "pairs": TRANSLATORS["transformer"](pair),
    }
    for name, config in networks.items():
        tokenizer = folder / ("with mask" if name == "masked" else "t")
        save_model(loud(config.build()), folder / name, tokenizer_folder=tokenizer)
    pixels = PixelsConfig(size=8, mean=(0.5,) * 3, std=(0.5,) * 3)
    eyes = vit(ViTSizes(size=8, patch=4, channels=3, **SMALL), ("dog", "cat"))
    beside = {PREPROCESSOR: pixels.to_hf()}
    save_model(loud(eyes.build()), folder / "image", beside=beside)
    make("tfidf").fit(["win money now", "see you"] * 8, ["a", "b"] * 8).save(
        folder / "linear" / "model"
    )
    (folder / "text.txt").write_text(TEXT)
    return folder


def explained(model, *options):
    code, out, err = hornbook("explain", model, "--json", "--device", "cpu", *options)
    assert code == 0, err
    return json.loads(out)


def test_a_decoder_is_explained_and_tested_the_same_every_time(models, tmp_path):
    page = tmp_path / "page.html"
    ask = (models / "decoder", "--text", TEXT, "--contexts", "4", "--draws", "1")
    found = explained(*ask, "--html", page)
    again = explained(*ask)
    assert {**again, "seconds": 0, "html": 0} == {**found, "seconds": 0, "html": 0}
    assert "".join(one["token"] for one in found["influence"]) == TEXT
    assert found["position"] == len(found["influence"]) + 1
    assert found["target"] == found["alternatives"][0]
    shares = [one["probability"] for one in found["alternatives"]]
    assert shares == sorted(shares, reverse=True) and sum(shares) <= 1
    assert {row["method"] for row in found["tests"]} == set(found["influences"])
    assert found["test"]["method"] == found["method"] and found["recall"] == []
    scores = [one["score"] for one in found["influence"]]
    assert scores == found["influences"][found["method"]]
    text = page.read_text()
    assert "http" not in text.replace("http-equiv", "") and "不优于就近顺序" in text
    assert all(f"{score:+.3f}" in text for score in scores)


def test_a_token_of_the_text_is_explained_by_those_before_it(models):
    found = explained(models / "decoder", "--text", TEXT, "--position", "4", "--contexts", "0")
    assert len(found["influence"]) == 3 and found["test"] is None and found["tests"] == []
    whole = "".join(one["token"] for one in found["influence"]) + found["target"]["token"]
    assert TEXT.startswith(whole)
    first = explained(models / "decoder", "--text", TEXT, "--position", "1", "--contexts", "0")
    assert first["influence"] == [] and TEXT.startswith(first["target"]["token"])


def test_only_the_last_tokens_are_hidden_and_the_others_are_seen(models, monkeypatch):
    every = explained(models / "decoder", "--text", TEXT, "--contexts", "0")
    monkeypatch.setattr(explained_model, "LAST", 5)
    last = explained(models / "decoder", "--text", TEXT, "--contexts", "0")
    assert last["alternatives"] == every["alternatives"]
    np.testing.assert_allclose(
        last["influences"]["hiding"], every["influences"]["hiding"][-5:], atol=1e-5
    )


def test_it_is_tested_on_a_file(models, tmp_path):
    draw = np.random.default_rng(0)
    words = [f"{a}{b}" for a in "bdkmn" for b in "aeiou"]
    (tmp_path / "text.txt").write_text(" ".join(draw.choice(words, 800)))
    found = explained(
        models / "recurrent", "--test", "--data", tmp_path / "text.txt", "--contexts", "3",
        "--window", "8", "--draws", "0",
    )  # fmt: skip
    methods = {row["method"] for row in found["tests"] if row["evidence"] == "any"}
    assert methods == {"hiding", "gradient", "gradient_input"}, "an LSTM has no attention"
    assert "influence" not in found
    assert explained(models / "recurrent", "--text", TEXT, "--contexts", "0")["recall"]


def test_a_label_a_gap_a_translation_and_an_image(models, tmp_path):
    label = explained(models / "label", "--text", "the tablet")
    assert label["target"]["token"] in ("ham", "spam") and len(label["alternatives"]) == 2
    assert abs(sum(one["probability"] for one in label["alternatives"]) - 1) < 1e-9
    pairs = explained(models / "pairs", "--text", "the tablet", "--html", tmp_path / "p.html")
    assert np.shape(pairs["alignment"]) == (len(pairs["written"]), len(pairs["influence"]))
    assert np.shape(pairs["by_token"]) == np.shape(pairs["alignment"])
    sums = np.sum(pairs["by_token"], 0)
    np.testing.assert_allclose([one["score"] for one in pairs["influence"]], sums)
    gap = explained(models / "masked", "--text", "the tablet", "--position", "1")
    assert gap["target"]["token"] == "the"
    assert "".join(one["token"] for one in gap["influence"]) == " tablet"
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    image = explained(
        models / "image", "--image", tmp_path / "one.png", "--html", tmp_path / "i.html"
    )
    assert image["grid"] == 2 and [one["token"] for one in image["influence"]][-1] == "2,2"
    assert "data:image/png" in (tmp_path / "i.html").read_text()


@pytest.mark.parametrize(
    ("model", "against"),
    [("label", "length"), ("masked", "nearness"), ("pairs", "length"), ("image", "centre")],
)
def test_every_kind_is_tested_against_an_order_that_needs_no_model(
    models, tmp_path, model, against
):
    from PIL import Image

    (tmp_path / "lines.txt").write_text("the tablet\n\na small child\nwood was learned\n")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    data = tmp_path if model == "image" else tmp_path / "lines.txt"
    page = tmp_path / "page.html"
    found = explained(models / model, "--test", "--data", data, "--html", page)
    assert found["kind"] and {row["evidence"] for row in found["tests"]} == {"inputs"}
    for row in found["tests"]:
        assert (row["against"], row["contexts"]) == (against, 3)
        assert row["verdict"].endswith(against) and "recency" not in row
        np.testing.assert_allclose(row["value"], row["fall"] - row["plain"], atol=1e-9)
    assert found["test"]["method"] == found["method"]
    assert "文件或文件夹中的各个输入" in page.read_text()


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("decoder", ("--text", TEXT, "--position", "99"), "the text has tokens 1 to"),
        ("decoder", ("--text", " "), "is empty"),
        ("decoder", ("--text", TEXT * 4), "this model takes 48"),
        ("decoder", (), "with --text"),
        ("decoder", ("--test",), "--data"),
        ("decoder", ("--image", "a.png"), "give it with --text"),
        ("label", ("--text", TEXT, "--position", "2"), "one thing of a whole input"),
        ("label", ("--image", "a.png"), "give it with --text"),
        ("image", ("--text", TEXT), "give one with --image"),
        ("image", ("--image", "none.png"), "does not exist"),
        ("image", ("--image", "{t}/tokenizer.json"), "no image that can be read"),
        ("masked", ("--text", TEXT), "say which token of the text"),
        ("encoder", ("--text", TEXT), "nothing that could be explained"),
        ("linear", ("--text", TEXT), "features made by hand"),
        ("pairs", ("--text", "the", "--position", "99"), "the translation has tokens 1 to"),
        ("pairs", ("--test", "--data", "{t}/../text.txt"), "at least three"),
        ("image", ("--test", "--data", "{t}/../text.txt"), "a folder of them"),
        ("label", ("--test", "--data", "{t}"), "a file of lines"),
        ("decoder", ("--test", "--data", "{t}"), "is a folder"),
    ],
)
def test_what_cannot_be_explained_is_said(models, model, options, message):
    given = [str(one).replace("{t}", str(models / "t")) for one in options]
    code, _, err = hornbook("explain", models / model, *given)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err
