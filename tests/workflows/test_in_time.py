"""Minutes are planned: preparations, long steps, measuring; what fails at the end costs a line."""

import json
from functools import partial
from types import SimpleNamespace

import pytest

from hornbook.core.clock import OVERTIME, Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.core.progress import Progress
from hornbook.corpus.build import build
from hornbook.tokenize.train import SAMPLE_BYTES, sample_bytes, train_tokenizer
from hornbook.training import forecast as forecasting
from hornbook.training.dial import Wanted, choose
from hornbook.training.forecast import Rehearsal, gradient_seconds
from hornbook.training.hooks import remarked
from hornbook.workflows.projects.text import baselines
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.projects.text.samples import Sampler, beginnings
from hornbook.workflows.runs import settle
from hornbook.workflows.runs.outcome import outcome
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.run import run as train
from tests.clock import set_clock

MACHINE = Machine(
    device="cpu", name="x", threads=1, rates={"float32": 3e11, "bfloat16": 1e11}, compiler=False
)


@pytest.fixture
def now(monkeypatch):
    times = {"now": 0.0}
    set_clock(monkeypatch, lambda: times["now"])
    return times


@pytest.mark.parametrize("used", [1, 30, 60, 90, 100, 119])
@pytest.mark.parametrize("ending", [0.0, 10.0, 20.0])
def test_training_is_given_what_is_left_and_all_ends_within_a_quarter(now, used, ending):
    clock = Clock.start(100 / 60)
    now["now"] = float(used)
    training_s = settle.training_seconds(clock, ending)
    assert training_s >= 0
    assert used + training_s + ending <= max(OVERTIME * 100, used + ending)
    if used + ending < 68:  # where there is time, all of it but what writing takes is used
        assert training_s == pytest.approx(100 - used - ending - 2)


def test_evaluations_take_no_more_than_their_share():
    rehearsal = Rehearsal(8, 8, 1.0, 0.1, False, "", score_s=1.0, sample_s=2.0)
    for training_s in (10.0, 100.0, 1000.0):
        evaluations, samples, hooks_s = settle._evaluations(rehearsal, training_s)
        assert 1 <= evaluations <= 12
        assert 1 <= samples <= 5
        assert hooks_s <= max(3.0, 0.09 * training_s)
    assert settle._evaluations(rehearsal, float("inf"))[:2] == (12, 5)


class Rows:
    """A batch of so many rows; computing one takes a second."""

    def __init__(self, count):
        self.count = count

    def split(self, rows):
        for start in range(0, self.count, rows):
            yield Rows(min(rows, self.count - start))


class Still:
    """A state that nothing moves."""

    class model:
        train = staticmethod(lambda: None)

    class optimiser:
        clear_gradient = staticmethod(lambda: None)


@pytest.mark.parametrize(("most_s", "share"), [(64, 1), (32, 0.5), (4, 1 / 16), (1000, 1)])
def test_a_long_step_is_made_smaller_without_computing_it_whole(now, monkeypatch, most_s, share):
    def gradient(model, objective, batch, config):
        now["now"] += batch.count

    monkeypatch.setattr(forecasting, "gradient", gradient)

    class batches:
        batch = staticmethod(lambda step: Rows(64))

    problem = SimpleNamespace(begin=lambda: Still, batches=batches, objective=None, loop=None)
    whole_s = gradient_seconds(problem, most_s)
    assert min(1, most_s / whole_s) == pytest.approx(share)
    assert now["now"] <= 1 + 4 * max(8, most_s)


@pytest.mark.parametrize(("size", "step_s", "kept"), [(8, 1000.0, 1), (80, 60.0, 26), (8, 0.1, 8)])
def test_steps_are_made_smaller_until_there_is_time_for_some(monkeypatch, size, step_s, kept):
    """40 of them in 800 seconds."""
    set_clock(monkeypatch, lambda: 0.0)
    monkeypatch.setattr(settle, "gradient_seconds", lambda *_: step_s)
    problem = SimpleNamespace(size=size, fixed=False, step_size="rows")
    problem.shrink = lambda size, reason: setattr(problem, "size", size)
    cuda = MACHINE.model_copy(update={"device": "cuda"})
    place = Place(None, Progress(quiet=True), Clock.start(800 / 60))
    machine, seconds = settle.in_time(problem, cuda, place)
    assert (machine, problem.size) == (cuda, kept)
    assert seconds == pytest.approx(step_s * kept / size)


def test_a_short_run_learns_its_tokenizer_from_less_text():
    assert sample_bytes(None) == sample_bytes(60) == SAMPLE_BYTES
    assert 2**20 <= sample_bytes(0.1) <= sample_bytes(1) < SAMPLE_BYTES


def test_what_is_printed_is_the_vocabulary_of_the_tokenizer_that_is_given():
    plan, choices = choose(1e11, MACHINE, 10**6, 60.0, Wanted(), vocab=8192)
    assert plan.vocab == 8192
    assert ("vocab", 8192) in [(choice.name, choice.value) for choice in choices]
    with pytest.raises(UsageError, match="vocab is 8192 in the tokenizer that is given"):
        choose(1e11, MACHINE, 10**6, 60.0, Wanted(vocab=500), vocab=8192)


@pytest.mark.parametrize("minutes", [0.1, 1, 10, 1000])
def test_baselines_look_at_what_there_is_time_for(monkeypatch, minutes):
    found = []
    for slow in (1.0, 3.0):
        monkeypatch.setattr(baselines, "slowness", partial(float, slow))
        found.append(baselines._limits(Clock.start(minutes)))
    free, busy = found
    everything = baselines._Limits()
    assert all(0 < b <= f <= e for b, f, e in zip(busy, free, everything, strict=True))
    assert baselines._limits(Clock.start(None)) == everything


@pytest.mark.slow
def test_baselines_of_a_part_are_near_those_of_all(place, tmp_path):
    project = Text(place / "corpus", place / "t")
    plan = {"depth": 1, "width": 32, "heads": 2, "context": 16, "rows": 4}
    request = project.request({"tokens": 640, "plan": plan, "device": "cpu"})
    quiet = Progress(quiet=True)
    chosen, _ = choose(1e9, MACHINE, 10**4, 6.0, request.plan, vocab=299)
    run = Place(tmp_path, quiet, Clock.start(None))
    problem = project.prepare(request, chosen, MACHINE, run)
    whole = baselines._measure(problem, baselines._Limits(), quiet)
    part = baselines._measure(problem, baselines._Limits(1e5, 400, 1e5, 300), quiet)
    assert part.keys() == whole.keys()
    assert part["ngram"] == pytest.approx(whole["ngram"], rel=0.5)


class Held:
    """A corpus of held-out texts."""

    def __init__(self, *held):
        self.held = held

    def texts(self, side):
        return iter(self.held)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["word"], ["word"]),
        (["", "  \n", "Donaudampfschifffahrtsgesellschaft"], ["Donaudampfschifffahrtsge"]),
        (["สวัสดีครับ"], ["สวัสดีครับ"]),
        (["one", "This one has words enough to begin."], ["This one has words enough to"]),
        (["a\u2028b"], ["a b"]),
        ([], [""]),
    ],
)
def test_every_text_has_a_beginning(texts, expected):
    assert beginnings(Held(*texts), 5) == expected


def test_a_beginning_parts_no_sign_from_its_letter():
    found = beginnings(Held("x" * 23 + "กิ่ง" * 5), 1)[0]
    assert found == "x" * 23
    assert beginnings(Held("้" * 40), 1)[0]


def test_a_sample_that_fails_is_a_remark():
    def fail():
        raise IndexError("list index\nout of range")

    assert remarked(fail)["remark"] == "no sample: IndexError: list index out of range"
    assert remarked(lambda: {"text": "x"}) == {"text": "x"}
    with pytest.raises(KeyboardInterrupt):
        remarked(lambda: (_ for _ in ()).throw(KeyboardInterrupt))


def test_the_end_of_a_run_says_its_measure_and_the_report():
    bleu = {"value": 31.24, "low": 30.0, "high": 32.5}
    lines = outcome({"bleu": bleu, "translated": 1000, "report": "run/report.html"})
    assert lines == [
        "BLEU 31.2 (30.0 to 32.5) on 1,000 test pairs.",
        "The report: run/report.html",
    ]
    assert "Shortened to 7 steps" in outcome({"shortened": [{"at": 1, "steps": 7}], "steps": 7})[0]
    assert outcome({}) == []


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A corpus, and a tokenizer of another size than the dial would choose."""
    folder = tmp_path_factory.mktemp("in-time")
    (folder / "text").mkdir()
    for i in range(30):
        (folder / "text" / f"{i}.txt").write_text(f"{i}. The hornbook holds words.\n" * (3 + i % 5))
    build([folder / "text"], folder / "corpus", progress=Progress(quiet=True))
    train_tokenizer(["The hornbook holds words. 0123456789\n"] * 50, 299, folder / "t", Progress())
    return folder


def test_a_report_is_written_whatever_a_sample_does(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Sampler, "sample", lambda self, seed: [][seed])
    project = Text(place / "corpus", place / "t")
    plan = {"depth": 1, "width": 32, "heads": 2, "context": 16, "rows": 4}
    values = {"tokens": 640, "plan": plan, "compiled": False, "dtype": "float32", "device": "cpu"}
    result = train(project, tmp_path / "run", project.request(values))
    rows = (tmp_path / "run" / "samples.jsonl").read_text().split("\n")[:-1]
    assert all("IndexError" in json.loads(row)["remark"] for row in rows)
    assert len(rows) == 5
    assert "no sample: IndexError" in (tmp_path / "run" / "report.html").read_text()
    said = capsys.readouterr().err
    size = result["tokenizer"]["vocabulary"]
    assert f"  vocab = {size}: in the tokenizer that is given" in said
    assert f"Model: {result['parameters']['all']:,} weights; vocabulary {size:,}," in said
