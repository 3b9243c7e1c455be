"""A run of labels: what it says, refuses and keeps, and the bits it ends with."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hornbook.batches.labelled import LabelledTexts
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.models.folder import save_model
from hornbook.models.text_classifier import Read
from hornbook.models.translators import TRANSLATORS, PairSizes, SideSizes
from hornbook.workflows.open.classifier import Classifier
from hornbook.workflows.open.load import load
from hornbook.workflows.projects import resume
from hornbook.workflows.projects.labels import settle
from hornbook.workflows.projects.labels.backbones import find_backbone
from hornbook.workflows.projects.labels.data import LabelledSplits
from hornbook.workflows.projects.labels.problem import Examples
from hornbook.workflows.projects.labels.project import Labels
from hornbook.workflows.runs import loop, run
from tests.clock import set_clock
from tests.tiny import QUIET, slow
from tests.workflows.labelled import (
    FAST,
    HELD,
    ROWS,
    TEST,
    Fitted,
    fitted,
    right,
    tuned,
    use_fast_rates,
)

pytestmark = pytest.mark.usefixtures("known_machine")


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
        find_backbone("lsttm")
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
        find_backbone(str(tmp_path / "pairs"))
    with pytest.raises(UsageError, match="is a translator: it can translate, not classify"):
        load(tmp_path / "pairs", Classifier)


@pytest.mark.parametrize("body", ["decoder", *slow("lstm")])
def test_the_same_seed_gives_the_same_bits(bodies, tmp_path, body):
    place = bodies / body if body == "decoder" else body
    method = "lora:4" if body == "decoder" else "full"
    one, two, three = (
        fitted(place, tmp_path / str(i), method=method, epochs=1, seed=seed).probabilities(TEST)
        for i, seed in enumerate((3, 3, 4))
    )
    assert (one == two).all()
    assert (one != three).any()


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
    [("decoder", "lora:4"), *slow(("decoder", "head"), ("encoder", "full"), ("lstm", "full"))],
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


@pytest.mark.slow  # by the clock on the wall
def test_minutes_are_kept_to(bodies, tmp_path):
    clock = Clock.start(0.1)
    values = {"epochs": 10_000, "minutes": 0.1}
    project = Labels(LabelledSplits(ROWS, HELD), bodies / "encoder")
    request = project.request({**values, "optimiser": FAST.plain()})
    result = run.run(project, tmp_path / "run", request, progress=QUIET, clock=clock)
    assert 2.0 < clock.used_s() < 7.5
    assert right(Fitted(result, load(tmp_path / "run", Classifier, device="cpu").model)) > 0.9


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
    set_clock(monkeypatch, lambda: now[0])
    each_s = settle._text_seconds(problem, clock)
    monkeypatch.undo()
    assert each_s == pytest.approx(text_s, rel=0.1)
    looked = settle._affordable_looks(problem, each_s, clock)
    some = problem.validation.some(looked)
    assert len(some.read.sequences) == looked == count
    assert list(some.labels[[0, -1]]) == [0, 399]
