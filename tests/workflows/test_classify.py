"""Labelled texts to a calibrated classifier: every method on an encoder and on a decoder."""

import json

import numpy as np
import pytest
import torch
import transformers

from hornbook.models.encoder_presets import (
    BertSizes,
    ModernBertShape,
    distilbert,
    modernbert,
    roberta,
)
from hornbook.models.folder import load_model, save_model
from hornbook.nn.pooling import DenseFirstConfig, MeanConfig
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.workflows.open.classifier import Classifier
from hornbook.workflows.open.load import load
from hornbook.workflows.projects.labels.problem import HeadProblem, LabelsProblem
from tests.tiny import slow
from tests.workflows.labelled import ROWS, TEST, fitted, right, tuned, use_fast_rates

pytestmark = pytest.mark.usefixtures("known_machine")


@pytest.mark.parametrize(
    ("method", "body"),
    [
        *(("full", "encoder"), ("head", "encoder"), ("lora:4", "decoder")),
        *slow(
            *(("full", "decoder"), ("head", "decoder"), ("lora:4", "encoder")),
            *(("last:1", "encoder"), ("last:1", "decoder")),
        ),
    ],
)
def test_every_method_learns_and_what_is_frozen_stays(bodies, tmp_path, body, method):
    pooling = MeanConfig().plain()
    found = fitted(bodies / body, tmp_path / "run", method=method, pooling=pooling, epochs=12)
    assert found.result["labels"] == ["ja", "nein"]
    # With two blocks that know nothing, a head alone sees words through random matrices.
    assert right(found) > (0.75 if method == "head" else 0.85)
    before = dict(load_model(bodies / body).named_parameters())
    after = dict(found.classifier.model.named_parameters())
    same = {name for name in before.keys() & after.keys() if torch.equal(before[name], after[name])}
    body_names = {name for name in before if name.startswith(("embedding.", "stack."))}
    if method == "full":
        assert not {n for n in same if n.endswith("token.weight")}
    elif method == "head":
        assert same == body_names
    else:  # token vectors and the first layer of `last:1`, all but what was merged of `lora`
        frozen = {n for n in body_names if n.startswith("embedding.")}
        first = {n for n in body_names if n.startswith(("stack.layers.0.", "stack.layers.1."))}
        norms = {n for n in body_names if "norm" in n}
        assert same >= frozen | (first if method == "last:1" else norms)
        assert same < body_names
    counts = found.result["parameters"]
    assert counts["all"] == sum(weight.numel() for weight in after.values()) + (
        counts["trained"] - sum(after[n].numel() for n in after.keys() - body_names)
        if method == "lora:4"
        else 0
    )
    assert (counts["trained"] == counts["all"]) == (method == "full")


SHAPE = ModernBertShape(everywhere=(True, False), window=5)
FAMILIES = {
    "roberta": roberta,
    "distilbert": distilbert,
    "modernbert": lambda sizes: modernbert(sizes, SHAPE),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_made_of_any_encoder_is_one_of_its_family(bodies, tmp_path, family):
    tokenizer = bodies / "masked"
    vocab = SequenceTokenizer.load(tokenizer).vocab_size
    sizes = BertSizes(vocab=vocab, width=16, depth=2, context=32, heads=2, hidden=32)
    save_model(FAMILIES[family](sizes).build(), tmp_path / "m", tokenizer_folder=tokenizer)
    found = fitted(tmp_path / "m", tmp_path / "run", epochs=12)
    assert right(found) > 0.75
    stored = json.loads((tmp_path / "run/model/config.json").read_text())
    assert stored["model_type"] == family
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "run/model")
    ids = found.classifier.read([row.text for row in TEST[:3]]).sequences
    for one in ids:
        with torch.no_grad():
            logits = theirs.eval()(torch.from_numpy(one)[None]).logits
        ours = found.classifier.logits([one])
        torch.testing.assert_close(torch.from_numpy(ours), logits, atol=1e-3, rtol=0)


def test_a_head_on_vectors_is_a_head_on_texts(bodies, tmp_path, monkeypatch):
    """The fast path: one step with all rows in it moves the head as the whole model would."""
    pooling = DenseFirstConfig().plain()
    values = {"epochs": 1, "rows": len(ROWS), "method": "head", "pooling": pooling}
    fast = fitted(bodies / "encoder", tmp_path / "fast", **values)
    for name in ("gather", "logits", "look_s", "least_looks"):
        monkeypatch.setattr(HeadProblem, name, getattr(LabelsProblem, name))
    slow = fitted(bodies / "encoder", tmp_path / "slow", **values)
    found, wanted = (one.raw(TEST) for one in (fast, slow))
    assert np.abs(found - wanted).max() < 1e-5
    assert np.abs(found).max() > 0.01


@pytest.mark.parametrize("preset", ["conv", *slow("bert", "gpt", "mamba2")])
def test_presets_begin_afresh(tmp_path, preset):
    found = fitted(preset, tmp_path / "run", epochs=3, optimiser=None)
    assert right(found) > 0.8
    assert found.result["parameters"]["trained"] == found.result["parameters"]["all"]


def test_the_best_weights_are_kept_and_no_better_ones_end_it(bodies, tmp_path, monkeypatch):
    losses, weights = iter([0.5, 0.2, *[0.9] * 6]), []

    def scripted(problem):
        weights.append(problem.classifier.model.head.weight.detach().clone())
        return {"loss": next(losses), "accuracy": 0.5}

    monkeypatch.setattr(LabelsProblem, "score", scripted)
    monkeypatch.setattr(
        "hornbook.workflows.projects.labels.result.fit_temperature", lambda logits, labels: 1.0
    )
    found = fitted(bodies / "encoder", tmp_path / "run", epochs=5)
    result = found.result
    assert result["best_step"] == 10 and len(result["looks"]) == 7
    assert result["steps"] == 36 < 50
    assert result["ended"] == "nothing better since step 10"
    assert torch.equal(found.classifier.model.head.weight, weights[1])


def test_rare_labels_count_for_more_when_asked(bodies, tmp_path):
    """Labels that say nothing of the text: what is left is how often they are."""
    draw = np.random.default_rng(0)
    train, held = (
        [row._replace(label="rare" if draw.random() < 0.1 else "usual") for row in rows]
        for rows in (ROWS, TEST)
    )
    rare = {}
    for kind in ("none", "balanced"):
        values = {"method": "head", "class_weights": kind, "epochs": 20, "rows": len(train)}
        found = fitted(bodies / "encoder", tmp_path / kind, train, held, **values)
        rare[kind] = float(found.probabilities(held)[:, 0].mean())
    assert rare["none"] < rare["balanced"] - 0.1


@pytest.mark.parametrize("body", ["encoder", "decoder"])
def test_transformers_opens_it_and_agrees(bodies, tmp_path, monkeypatch, body):
    use_fast_rates(monkeypatch)
    result = tuned(bodies, tmp_path, body)
    folder = tmp_path / "run/model"
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ours = load(tmp_path / "run", Classifier, device="cpu").model
    sample = [row.text for row in TEST[:7]]
    inputs = tokenizer(sample, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = theirs(inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    found = ours.logits(ours.read(sample).sequences)
    assert np.abs(found - logits.numpy()).max() < 1e-4
    assert np.abs(logits.softmax(1).numpy() - ours.probabilities(sample)).max() < 1e-5
    assert theirs.config.id2label == {0: "ja", 1: "nein"}
    assert result["calibration"] == json.loads((folder / "calibration.json").read_text())


def test_empty_and_long_texts_are_labelled_and_marked(bodies, tmp_path):
    found = fitted(bodies / "decoder", tmp_path / "run", epochs=1).classifier
    sample = ["", " \n ", "sun " * 50_000, "sun"]
    rows = list(Classifier(tmp_path, found).stream(sample, at_once=3))
    assert [row.text for row in rows] == sample
    assert [row.empty for row in rows] == [True, True, False, False]
    assert [row.cut for row in rows] == [False, False, True, False]
    for row in rows:
        assert sum(row.probabilities.values()) == pytest.approx(1.0)
        assert row.probability == max(row.probabilities.values())
