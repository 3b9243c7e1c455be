"""The ladder: the same texts for all, leaks told, pairs tested, the cheapest good one chosen."""

import json
import random
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from hornbook.core.errors import UsageError
from hornbook.core.progress import Progress
from hornbook.corpus.labelled import LabelledText
from hornbook.workflows import compare as module
from hornbook.workflows import ladder
from hornbook.workflows.compare import CompareConfig, compare, read_data
from hornbook.workflows.ladder import Climbed, Job, Rung, choose_rungs, climb, ladder_of

QUIET = Progress(quiet=True)
GOOD = ["meeting", "lunch", "notes", "thanks", "tomorrow", "report"]
BAD = ["prize", "winner", "claim", "free", "urgent", "cash"]


def rows(count, seed):
    draw = random.Random(seed)
    found = []
    for i in range(count):
        label = "spam" if i % 3 == 0 else "ham"
        words = [draw.choice(BAD if label == "spam" else GOOD) for _ in range(6)]
        found.append((label, f"{' '.join(words)} {draw.randrange(10**6)}"))
    return found


def write(path, found):
    path.write_text("label,text\n" + "".join(f"{label},{text}\n" for label, text in found))
    return path


@pytest.fixture
def data(tmp_path):
    return write(tmp_path / "mail.csv", rows(240, 0))


LADDER = [Rung("majority", "linear", "majority"), Rung("tfidf", "linear", "tfidf")]


def fake(accuracies, seconds):
    """Stand-ins for rungs: right by chance, and as dear as they are said to be."""

    def climb(job: Job):
        name = job.rung.name
        generator = np.random.default_rng(zlib.crc32(f"{name} {job.texts[0]}".encode()))
        labels = sorted({row.label for row in job.train})
        truth = np.array([labels.index(KNOWN[text]) for text in job.texts])
        right = generator.random(len(truth)) < accuracies[name]
        guess = np.where(right, truth, 1 - truth)
        shares = np.where(np.arange(2) == guess[:, None], 0.9, 0.1)
        return Climbed(shares, seconds[name], 0.001, 10**8, 10**6, {})

    return climb


KNOWN = {}


@pytest.fixture
def known(data):
    KNOWN.update({text: label for label, text in rows(240, 0)})
    return data


def test_real_rungs_on_separable_text(data, tmp_path):
    result = compare(CompareConfig(data=data), LADDER, tmp_path / "out", QUIET)
    majority, tfidf = result["rows"]
    assert majority["score"] < 0.75 and tfidf["score"] > 0.95
    assert result["verdict"]["choose"] == "tfidf"
    assert majority["behind_best"]["p"] < 0.01 and majority["behind_best"]["accuracy"]["low"] > 0
    assert tfidf["peak_bytes"] > 10**7 and tfidf["model_bytes"] > 0 and tfidf["latency_ms"] > 0
    stored = json.loads((tmp_path / "out" / "result.json").read_text())
    assert stored["rows"][1]["score"] == tfidf["score"]
    assert "tfidf" in (tmp_path / "out" / "report.html").read_text()


def test_the_cheapest_within_noise_is_chosen(known, tmp_path, monkeypatch):
    accuracies = {"dear": 0.99, "cheap": 0.985, "poor": 0.7}
    seconds = {"dear": 500.0, "cheap": 5.0, "poor": 0.1}
    monkeypatch.setattr(module, "climb", fake(accuracies, seconds))
    rungs = [Rung(name, "linear", name) for name in accuracies]
    result = compare(CompareConfig(data=known, folds=3), rungs, tmp_path / "out", QUIET)
    assert result["judged"] == 240
    assert result["verdict"]["choose"] == "cheap"
    assert set(result["verdict"]["within_noise"]) == {"dear", "cheap"}


def test_a_rung_that_fails_is_told_and_the_others_go_on(known, tmp_path, monkeypatch):
    def one_fails(job):
        if job.rung.name == "broken":
            return "it has no legs"
        return fake({"fine": 0.9}, {"fine": 1.0})(job)

    monkeypatch.setattr(module, "climb", one_fails)
    rungs = [Rung("broken", "linear", "x"), Rung("fine", "linear", "y")]
    result = compare(CompareConfig(data=known), rungs, tmp_path / "out", QUIET)
    assert result["rows"][0]["error"] == "it has no legs"
    assert result["verdict"]["choose"] == "fine"


def test_texts_that_are_trained_on_are_told_and_scored_apart(known, tmp_path, monkeypatch):
    test = write(tmp_path / "test.csv", [*rows(240, 0)[:30], *rows(60, 5)])
    KNOWN.update({text: label for label, text in rows(60, 5)})
    monkeypatch.setattr(module, "climb", fake({"one": 0.9}, {"one": 1.0}))
    config = CompareConfig(data=known, test=test)
    result = compare(config, [Rung("one", "linear", "x")], tmp_path / "out", QUIET)
    assert result["leaked_items"] == 30 and result["judged"] == 90
    assert "without_leaked" in result["rows"][0]


def test_folds_judge_every_text_once_and_never_what_was_learned(data):
    found = read_data(CompareConfig(data=data, folds=4))
    places = np.concatenate([part.places for part in found.rounds])
    assert sorted(places.tolist()) == list(range(240))
    for part in found.rounds:
        assert not {row.text for row in part.train} & {row.text for row in part.test}


def test_minutes_are_shared_by_those_that_need_time(known, tmp_path, monkeypatch):
    given = []

    def watch(job):
        given.append((job.rung.name, job.minutes))
        return fake({"a": 0.9, "b": 0.9}, {"a": 1.0, "b": 1.0})(job)

    monkeypatch.setattr(module, "climb", watch)
    rungs = [Rung("a", "linear", "x"), Rung("b", "fresh", "lstm")]
    compare(CompareConfig(data=known, minutes=6, folds=3), rungs, tmp_path / "out", QUIET)
    assert {minutes for _, minutes in given} == {2.0}


def test_fewer_labels_make_a_curve(known, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "climb", fake({"one": 0.9}, {"one": 1.0}))
    config = CompareConfig(data=known, curve=(30, 90))
    result = compare(config, [Rung("one", "linear", "x")], tmp_path / "out", QUIET)
    assert [row["texts"] for row in result["curve"]] == pytest.approx([30, 90], abs=3)


@pytest.mark.slow
def test_a_fresh_model_climbs_in_its_minutes(data):
    found = read_data(CompareConfig(data=data))
    part = found.rounds[0]
    job = Job(
        Rung("lstm", "fresh", "lstm"),
        part.train[:150],
        part.train[150:],
        [row.text for row in part.test],
        0.3,
        0,
        {},
    )
    climbed = climb(job)
    assert isinstance(climbed, Climbed)
    truth = [row.label == "spam" for row in part.test]
    assert (climbed.probabilities.argmax(1) == truth).mean() > 0.9


def test_a_ladder_is_refused_before_work(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'tfidf'"):
        choose_rungs(ladder_of([]), ["tfidff"])
    with pytest.raises(UsageError, match="no-such-model"):
        ladder_of([tmp_path / "no-such-model"])


def test_texts_that_time_suffices_for_are_of_all_labels(monkeypatch):
    """A file has one label after the other: its first texts would say nothing of the others."""

    class Model:
        def parameters(self):
            return iter(())

    def measure(task, subject, items, shots):
        found = {"probabilities": {"good": 0.25, "spam": 0.75}}
        return [SimpleNamespace(found=found) for _ in items]

    monkeypatch.setattr("hornbook.workflows.open_model.open_model", lambda *a: (Model(), None))
    monkeypatch.setattr("hornbook.evaluate.kinds.classify.ClassifyTask.measure", measure)
    rows = [LabelledText(str(i), f"text {i}", "spam" if i < 40 else "good") for i in range(80)]
    texts = [row.text for row in rows]
    job = Job(Rung("m zero-shot", "prompted", "m"), rows, [], texts, 0.0, 3, {})
    predict, _, _, _ = ladder._prompted(job, None)
    answered = ~np.isnan(predict(texts)[:, 0])
    assert answered.sum() == 16 and 4 <= answered[:40].sum() <= 12
    assert (predict(texts)[answered] == [0.25, 0.75]).all()
