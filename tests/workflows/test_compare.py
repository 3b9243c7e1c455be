"""The ladder: the same texts for all, leaks told, pairs tested, the cheapest good one chosen."""

import json
import random
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hornbook.core.clock import Clock
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.machine import Machine
from hornbook.core.threads import use
from hornbook.datasets.labelled import LabelledText
from hornbook.training import pace
from hornbook.workflows.compare import classifiers as module
from hornbook.workflows.compare import ladder
from hornbook.workflows.compare.classifiers import compare, lines_of
from hornbook.workflows.compare.data import CompareConfig, read_data
from hornbook.workflows.compare.ladder import Climbed, Job, Rung, choose_rungs, climb, ladder_of
from hornbook.workflows.compare.time import Shares
from hornbook.workflows.projects.labels.data import LabelledSplits
from hornbook.workflows.projects.labels.project import Labels
from hornbook.workflows.runs import run as life
from hornbook.workflows.runs import settle
from tests.in_process import hornbook
from tests.tiny import QUIET

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
    given, folders = [], []

    def watch(job):
        folders.append(job.folder)
        assert job.folder.is_dir() and job.folder.parent == tmp_path
        if job.rung.kind != "linear":
            given.append(job.minutes)
        return fake({"a": 0.9, "b": 0.9}, {"a": 1.0, "b": 1.0})(job)

    monkeypatch.setattr(module, "climb", watch)
    rungs = [Rung("b", "fresh", "lstm"), Rung("a", "linear", "x")]
    config = CompareConfig(data=known, minutes=6, folds=3)
    result = compare(config, rungs, tmp_path / "out", QUIET)
    assert not any(folder.exists() for folder in folders), "what was trained is cleared away"
    # What a rung did not use, the next ones have.
    assert given[0] == pytest.approx(2.0, rel=0.05) == result["minutes_each"]
    assert 2.0 < given[1] < given[2] < 6.0
    assert [row["name"] for row in result["rows"]] == ["a", "b"], "the quick ones come first"


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

    monkeypatch.setattr("hornbook.workflows.open.model.open_model", lambda *a: (Model(), None))
    monkeypatch.setattr("hornbook.evaluate.kinds.classify.ClassifyTask.measure", measure)
    rows = [LabelledText(str(i), f"text {i}", "spam" if i < 40 else "good") for i in range(80)]
    texts = [row.text for row in rows]
    job = Job(Rung("m zero-shot", "prompted", "m"), rows, [], texts, 0.0, 3, {})
    clock = Clock.start(0.0)
    predict, _, _, _ = ladder._prompted(job, clock, None)
    found = ladder._answers(predict, job, clock)
    answered = ~np.isnan(found[:, 0])
    assert answered.sum() == 16 and 4 <= answered[:40].sum() <= 12
    assert (found[answered] == [0.25, 0.75]).all()


def known_rungs(monkeypatch, found):
    """Rungs that know all answers, for what is not about rungs; labels as a classifier has them."""
    truth = {text: label for label, text in found}

    def climb(job):
        labels = sorted({row.label for row in (*job.train, *job.validation)})
        places = np.array([labels.index(truth[text]) for text in job.texts])
        return Climbed(np.eye(len(labels))[places], 1.0, 0.001, 10**8, 10**6, {})

    monkeypatch.setattr(module, "climb", climb)
    return [Rung("one", "linear", "x")]


@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("label", ["rare", "aaa"])  # in the middle of the labels, and before them
def test_a_class_with_one_text_is_learned_and_not_judged(tmp_path, monkeypatch, folds, label):
    found = [*rows(60, 0), (label, "a text of its own")]
    data, rungs = write(tmp_path / "d.csv", found), known_rungs(monkeypatch, found)
    result = compare(CompareConfig(data=data, folds=folds), rungs, tmp_path / "out", QUIET)
    assert result["not_judged"] == {label: 1}
    assert any(f"{label!r} (1 text)" in note for note in result["notes"])
    assert result["labels"] == sorted(["ham", "spam", label])
    assert result["rows"][0]["score"] == 1.0
    assert result["judged"] == 60 if folds else result["judged"] < 60
    assert label in (tmp_path / "out" / "report.html").read_text()


def test_real_rungs_take_a_class_with_one_text(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "climb", ladder._climb)  # in this process, which costs no start
    data = write(tmp_path / "d.csv", [*rows(60, 0), ("rare", "a text of its own")])
    result = compare(CompareConfig(data=data, curve=(20,)), LADDER, tmp_path / "out", QUIET)
    assert [row["score"] > 0.5 for row in result["rows"]] == [True, True]
    assert all("score" in row for row in result["curve"])


def test_labels_that_only_the_test_file_has_are_said_and_left_out(tmp_path, monkeypatch):
    found = rows(60, 0)
    data = write(tmp_path / "d.csv", found)
    test = write(tmp_path / "t.csv", [*rows(20, 5), ("spma", "never seen"), ("eggs", "nor this")])
    rungs = known_rungs(monkeypatch, [*found, *rows(20, 5)])
    config = CompareConfig(data=data, test=test)
    result = compare(config, rungs, tmp_path / "out", QUIET)
    assert result["judged"] == 20 and result["unknown"] == {"spma": 1, "eggs": 1}
    assert any("Did you mean 'spam'" in note for note in result["notes"])
    write(test, [(label.title(), text) for label, text in rows(20, 5)])
    with pytest.raises(UsageError, match=r"20 of the 20 texts .* such as 'Spam'"):
        read_data(config)


def test_a_rung_that_fell_to_one_class_is_shown_with_that(known, tmp_path, monkeypatch):
    def climb(job):
        return Climbed(np.tile([0.9, 0.1], (len(job.texts), 1)), 1.0, 0.001, 10**8, 10**6, {})

    monkeypatch.setattr(module, "climb", climb)
    result = compare(CompareConfig(data=known), [Rung("one", "fresh", "x")], tmp_path / "o", QUIET)
    assert result["rows"][0]["remark"].startswith("takes every text for 'ham'")
    assert "takes every text for 'ham'" in lines_of(result)[0]
    assert "takes every text for" in (tmp_path / "o" / "report.html").read_text()


def test_minutes_go_to_the_first_ones_where_they_do_not_suffice_for_all(monkeypatch):
    monkeypatch.setattr("hornbook.workflows.compare.time.slowness", lambda: 1.0)
    shares = Shares(Clock.start(0.75), 10)  # 43 seconds: two rungs can be trained
    assert isinstance(shares.quick(), float)
    assert shares.next() == pytest.approx(43.6 / 2 / 60, rel=0.01)
    shares.too_little()  # then one with all that is left
    assert shares.next() == pytest.approx(43.6 / 60, rel=0.01)
    shares.too_little()
    assert "left out, as" in shares.next()
    shares = Shares(Clock.start(0.1), 3)
    assert "left out, as only 6 s of 0.1 minutes were left" in shares.next()
    assert isinstance(shares.quick(), float)
    spent = Shares(Clock(1.0, Clock.start(1.0).began - 61), 0)
    assert "left out, as only 0 s of 1 minutes" in spent.quick()


def test_a_linear_rung_that_takes_too_long_is_left_out_before_it_begins(data):
    part = read_data(CompareConfig(data=data)).rounds[0]
    job = Job(LADDER[1], part.train, [], [row.text for row in part.test], 1e-6, 0, {})
    with pytest.raises(HornbookError, match="left out, as it needs about"):
        ladder._climb(job)


def test_the_rungs_are_named_without_data():
    code, out, err = hornbook("compare", "--list")
    assert (code, err) == (0, "") and out.split()[0] == "majority"
    code, _, err = hornbook("compare", "--task", "classify")
    assert code == 2 and "--out" in err


def test_the_table_is_the_result_and_all_else_is_not(data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "climb", ladder._climb)
    asked = ["compare", "--task", "classify", "--data", data, "--rung", "majority"]
    code, out, err = hornbook(*asked, "--out", tmp_path / "one")
    assert code == 0, err
    assert out.startswith("majority: ") and "Choose majority" in out and "report.html" in out
    assert "to learn from" in err and "Choose" not in err and "trained in" not in err
    code, out, _ = hornbook(*asked, "--out", tmp_path / "two", "--json")
    assert code == 0 and json.loads(out)["verdict"]["choose"] == "majority"


@pytest.mark.parametrize(
    ("guesses", "truth", "passes", "left_out"),
    [
        ([0, 0, 0, 0], [0, 1, 0, 1], 0.3, True),
        ([1, 1, 1, 1], [0, 1, 0, 0], 1.9, True),
        ([0, 0, 1, 0], [0, 1, 0, 1], 0.3, False),  # it tells some apart
        ([0, 0, 0, 0], [0, 1, 0, 1], 2.5, False),  # it had time: it is shown, with a remark
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.3, False),  # there is one class to be told
    ],
)
def test_what_had_no_time_to_leave_one_class_is_left_out(guesses, truth, passes, left_out):
    checked = {"texts": 4, "guessed": len(set(guesses)), "there": len(set(truth))}
    result = {"steps": 41, "epochs": passes, "validation": checked}
    if not left_out:
        ladder._check_learned(result)
        return
    with pytest.raises(HornbookError, match=r"^left out, as it took every .* 41 steps"):
        ladder._check_learned(result)


@pytest.mark.parametrize(("minutes", "looked"), [(0.15, [2]), (None, [])])
def test_threads_follow_what_is_free_where_minutes_are_given(
    tmp_path, monkeypatch, minutes, looked
):
    found = []

    def busy(work, most, most_s):
        work()
        found.append(most)
        use(1)
        return 1

    rates = {"float32": 1e9, "bfloat16": 1e9}
    machine = Machine(device="cpu", name="x", threads=2, rates=rates, compiler=False)

    def known(there, device):
        use(2)
        return machine

    monkeypatch.setattr(settle, "faster", busy)
    monkeypatch.setattr(pace, "faster", lambda work, most: 1)
    monkeypatch.setattr(life, "machine_for", known)
    learned = [LabelledText(str(i), text, label) for i, (label, text) in enumerate(rows(60, 0))]
    project = Labels(LabelledSplits(learned, learned[:20]), "lstm")
    plan = {"width": 16, "depth": 1}
    request = project.request({"minutes": minutes, "epochs": 1, "plan": plan})
    had = torch.get_num_threads()
    try:
        result = life.run(project, tmp_path / "run", request, progress=QUIET)
    finally:
        torch.set_num_threads(had)
    assert found == looked
    assert result["threads"] == (1 if looked else 2)
