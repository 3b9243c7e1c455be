"""Labelled texts to a calibrated classifier: every method on an encoder and on a decoder."""

import json
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import transformers

from hornbook.adapt.method import Method
from hornbook.batches.labelled import LabelledTexts
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.core.threads import use
from hornbook.datasets.labelled import LabelledText
from hornbook.models.encoder_presets import (
    BertSizes,
    ModernBertShape,
    bert,
    distilbert,
    modernbert,
    roberta,
)
from hornbook.models.folder import load_model, save_model
from hornbook.models.presets import llama, lstm
from hornbook.models.text_classifier import Read, TextClassifier
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
from hornbook.nn.pooling import DenseFirstConfig, MeanConfig
from hornbook.tokenize.masking import add_mask
from hornbook.tokenize.sequences import SequenceTokenizer
from hornbook.tokenize.train import train_tokenizer
from hornbook.training import forecast
from hornbook.training.optimiser import OptimiserConfig
from hornbook.workflows.open.classifier import Classifier
from hornbook.workflows.open.load import load
from hornbook.workflows.projects import resume
from hornbook.workflows.projects.labels import project as labels_project
from hornbook.workflows.projects.labels import settle
from hornbook.workflows.projects.labels.bodies import find_body
from hornbook.workflows.projects.labels.data import LabelledSplits
from hornbook.workflows.projects.labels.problem import Examples, HeadProblem, LabelsProblem
from hornbook.workflows.projects.labels.project import Labels
from hornbook.workflows.runs import loop, run
from tests.tiny import QUIET, decoder_sizes

MACHINE = Machine(
    device="cpu", name="", threads=1, rates={"float32": 1.0, "bfloat16": 1.0}, compiler=False
)
GOOD, BAD = ["sun", "joy", "calm", "gift", "bright"], ["rain", "grief", "storm", "debt", "dull"]
FAST = OptimiserConfig(
    matrix_rule="adamw", matrix_rate=0.01, embedding_rate=0.01, head_rate=0.02, scalar_rate=0.01
)


def texts(count, seed=0, share=0.5):
    """Words of one kind among many that say nothing; the label is the kind."""
    draw = np.random.default_rng(seed)
    for i in range(count):
        good = bool(draw.random() < share)
        words = [*draw.choice(["the", "a", "of", "it"], 3), *draw.choice(GOOD if good else BAD, 2)]
        yield LabelledText(
            str(i), f"{' '.join(draw.permutation(words))} {i}", "ja" if good else "nein"
        )


ROWS, HELD, TEST = list(texts(160)), list(texts(40, 1)), list(texts(60, 2))


@pytest.fixture(scope="module")
def bodies(tmp_path_factory):
    """An encoder and a decoder that know nothing, with tokenizers that know the words."""
    folder = tmp_path_factory.mktemp("bodies")
    train_tokenizer([row.text for row in ROWS] * 3, 330, folder / "t", QUIET)
    tokenizer = add_mask(folder / "t", folder / "masked")
    sizes = BertSizes(vocab=tokenizer.vocab_size, width=16, depth=2, context=32, heads=2, hidden=32)
    save_model(bert(sizes).build(), folder / "encoder", tokenizer_folder=folder / "masked")
    sizes = decoder_sizes(vocab=tokenizer.vocab_size, context=64, kv_heads=1, hidden=32, tied=True)
    for name, preset in (("decoder", llama), ("recurrent", lstm)):
        save_model(preset(sizes).build(), folder / name, tokenizer_folder=folder / "t")
    return folder


@pytest.fixture(autouse=True)
def known_machine(monkeypatch):
    """Nothing is measured, and one thread computes."""

    def known(there, device):
        use(MACHINE.threads)
        return there or MACHINE

    monkeypatch.setattr(run, "machine_for", known)


class Fitted(NamedTuple):
    result: dict[str, Any]
    classifier: TextClassifier

    def probabilities(self, rows):
        return self.classifier.probabilities([row.text for row in rows])

    def raw(self, rows):
        """The logits before calibration."""
        read = self.classifier.read([row.text for row in rows])
        temperature = self.result["calibration"]["temperature"]
        return temperature * self.classifier.logits(read.sequences)


def fitted(place, folder, train=ROWS, held=HELD, rows=16, **values):
    """A run on texts that are split already."""
    values = {"epochs": 4, "optimiser": FAST.plain(), "plan": {"rows": rows}, **values}
    project = Labels(LabelledSplits(train, held), place)
    result = run.run(project, folder, project.request(values), progress=QUIET)
    return Fitted(result, load(folder, Classifier, device="cpu").model)


def right(found, rows=TEST):
    guesses = found.probabilities(rows).argmax(1)
    labels = found.result["labels"]
    return np.mean([labels[g] == row.label for g, row in zip(guesses, rows, strict=True)])


@pytest.mark.parametrize("body", ["encoder", "decoder"])
@pytest.mark.parametrize("method", ["full", "last:1", "head", "lora:4"])
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


@pytest.mark.parametrize("body", ["decoder", "lstm"])
def test_the_same_seed_gives_the_same_bits(bodies, tmp_path, body):
    place = bodies / body if body == "decoder" else body
    method = "lora:4" if body == "decoder" else "full"
    one, two, three = (
        fitted(place, tmp_path / str(i), method=method, epochs=1, seed=seed).probabilities(TEST)
        for i, seed in enumerate((3, 3, 4))
    )
    assert (one == two).all()
    assert (one != three).any()


@pytest.mark.parametrize("preset", ["bert", "gpt", "conv", "mamba2"])
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


def test_minutes_are_kept_to(bodies, tmp_path):
    clock = Clock.start(0.1)
    values = {"epochs": 10_000, "minutes": 0.1}
    project = Labels(LabelledSplits(ROWS, HELD), bodies / "encoder")
    request = project.request({**values, "optimiser": FAST.plain()})
    result = run.run(project, tmp_path / "run", request, progress=QUIET, clock=clock)
    assert 2.0 < clock.used_s() < 7.5
    assert right(Fitted(result, load(tmp_path / "run", Classifier, device="cpu").model)) > 0.9


def table(path, rows):
    lines = [json.dumps(row._asdict() | {"note": "x"}, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def tuned(bodies, tmp_path, body="encoder", rows=None, data=None, **values):
    """A run on a file."""
    data = data or table(tmp_path / "rows.jsonl", rows or [*ROWS, *TEST, ROWS[0]])
    project = Labels(data, body if body == "lstm" else bodies / body)
    values = {"epochs": 3, "dtype": "float32", "device": "cpu", **values}
    return run.run(project, tmp_path / "run", project.request(values), progress=QUIET)


def use_fast_rates(monkeypatch):
    rates = labels_project.rates_of(Method.parse("full"), False, 16)._replace(optimiser=FAST)
    monkeypatch.setattr(labels_project, "rates_of", lambda *_: rates)


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


def test_a_run_says_what_was_measured(bodies, tmp_path, monkeypatch):
    use_fast_rates(monkeypatch)
    result = tuned(bodies, tmp_path, "recurrent")
    assert result["texts"] == {
        "train": 176, "validation": 22, "test": 22, "copies": 1, "rejected": 0,
    }  # fmt: skip
    metrics = result["metrics"]
    assert {"accuracy", "macro_f1", "auc", "calibration_error"} <= metrics.keys()
    assert metrics["accuracy"]["low"] < metrics["accuracy"]["value"] <= 1.0
    assert np.sum(result["confusion"]) == result["n"] == 22
    assert result["parameters"]["trained"] == result["parameters"]["all"]
    assert result["model_bytes"] > 4 * result["parameters"]["all"]
    rows = [json.loads(line) for line in (tmp_path / "run/outputs.jsonl").read_text().splitlines()]
    share = np.mean([row["guess"] == row["label"] for row in rows])
    assert share == pytest.approx(metrics["accuracy"]["value"])
    opened = load(tmp_path / "run", Classifier, device="cpu")
    again = opened.probabilities([row["text"] for row in rows])
    assert np.abs(again - np.array([row["probabilities"] for row in rows])).max() < 1e-5
    card = (tmp_path / "run/model/README.md").read_text()
    assert f"{metrics['accuracy']['value']:.4f}" in card and "ja, nein" in card
    assert tuned(bodies, tmp_path, "recurrent") == result  # reused
    with pytest.raises(UsageError, match="holds another run"):
        tuned(bodies, tmp_path, "recurrent", seed=1)


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


def test_mistakes_are_named_before_work(bodies, tmp_path):
    def refused(message, error=UsageError, **values):
        with pytest.raises(error, match=message):
            tuned(bodies, tmp_path, **values)
        assert not (tmp_path / "run").exists()

    refused("one class only", rows=[row._replace(label="ja") for row in ROWS])
    refused("different texts; at least", rows=ROWS[:6])
    refused("no column 'kind'", label_column="kind")
    refused("Unknown method 'some'", method="some")
    refused("last:3: the stack has 2 layers", method="last:3")
    refused("--minutes 0", minutes=0.0)
    refused("does not exist or is no file", data=tmp_path / "none.csv")
    with pytest.raises(UsageError, match="Did you mean 'lstm'"):
        find_body("lsttm")
    with pytest.raises(UsageError, match="begins afresh"):
        Labels(tmp_path / "r.jsonl", "lstm").request({"method": "lora"})
    with pytest.raises(UsageError, match="width is 16 in the model to go on from"):
        fitted(bodies / "encoder", tmp_path / "x", plan={"width": 32})
    strange = [HELD[0]._replace(label="vielleicht")]
    with pytest.raises(UsageError, match="'vielleicht' of the validation text 0 is not in"):
        fitted(bodies / "encoder", tmp_path / "x", held=strange)


def test_a_model_of_pairs_is_no_body(tmp_path):
    side = SideSizes(depth=1, heads=2, hidden=8)
    sizes = PairSizes(
        vocab=50, width=16, context=16, encoder=side, decoder=side, start=0, dropout=0.0
    )
    save_model(next(iter(TRANSLATORS.values()))(sizes).build(), tmp_path / "pairs")
    with pytest.raises(UsageError, match="reads no single text"):
        find_body(str(tmp_path / "pairs"))
    with pytest.raises(UsageError, match="is a translator: it can translate, not classify"):
        load(tmp_path / "pairs", Classifier)


class Killed(Exception):
    """The process ended, whatever it did."""


def killed_at(monkeypatch, step):
    """Let training end after a step as a killed process does: nothing more is written."""

    def kill(state):
        if state.step == step:
            raise Killed

    monkeypatch.setattr(loop, "stop_when", lambda *_: kill)


def facts(result):
    """All that must be equal in two runs."""
    return {
        name: result[name] for name in result.keys() - {"run", "report", "seconds", "peak_bytes"}
    }


@pytest.mark.parametrize(
    ("body", "method"),
    [("encoder", "full"), ("decoder", "head"), ("decoder", "lora:4"), ("lstm", "full")],
)
def test_killed_and_resumed_gives_the_same_bits(bodies, tmp_path, monkeypatch, body, method):
    start, straight = {"method": method, "epochs": 6}, tmp_path / "straight"
    straight.mkdir()
    wanted = tuned(bodies, straight, body, **start)
    with monkeypatch.context() as patch:
        killed_at(patch, 20)
        with pytest.raises(Killed):
            tuned(bodies, tmp_path, body, **start)
    with pytest.raises(UsageError, match="continue it with --resume"):
        tuned(bodies, tmp_path, body, **start)
    found = resume(tmp_path / "run", QUIET)
    assert facts(found) == facts(wanted)
    for name in ("model/model.safetensors", "outputs.jsonl"):
        one, other = ((place / "run" / name).read_bytes() for place in (tmp_path, straight))
        assert one == other


def test_steps_are_timed_on_batches_of_a_usual_size():
    """Batches of texts of one length: the first of a pass may be the longest there is."""
    sequences = [np.ones(n, np.int64) for n in [5] * 60 + [200] * 4]
    batches = LabelledTexts(sequences, np.zeros(64, np.int64), 4, 0, 0, alike=True)
    sizes = [batches.batch(step).inputs.numel() for step in range(16)]
    typical = settle.UsualBatches(batches)
    assert {typical.batch(step).inputs.numel() for step in range(8)} == {20} < set(sizes)


@pytest.mark.parametrize(("text_s", "count"), [(1e-6, 400), (0.05, 119), (1.0, 50)])
def test_as_many_texts_are_looked_at_as_there_is_time_for(monkeypatch, text_s, count):
    now = [0.0]

    def gathered(sequences):
        now[0] += text_s * len(sequences)

    read = Read([np.array([1])] * 400, np.ones(400, int), np.zeros(400, bool))
    problem = SimpleNamespace(
        gathered=gathered, validation=Examples(read, np.arange(400)), least_looks=4
    )
    clock = Clock.start(2.0)
    monkeypatch.setattr(forecast.time, "monotonic", lambda: now[0])
    each_s = settle._text_seconds(problem, clock)
    monkeypatch.undo()
    assert each_s == pytest.approx(text_s, rel=0.1)
    looked = settle._affordable_looks(problem, each_s, clock)
    some = problem.validation.some(looked)
    assert len(some.read.sequences) == looked == count
    assert list(some.labels[[0, -1]]) == [0, 399]
