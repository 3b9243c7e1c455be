"""What a model remembers: much of what it read often, little of what it read once."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from hornbook.corpus.build import build
from hornbook.explain.canaries import BITS, canaries, exposure, planted
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.runs.run import run as train
from tests.in_process import hornbook
from tests.tiny import QUIET

WORDS = ["red", "blue", "green", "seven", "nine", "river", "stone", "apple", "tree", "cloud"]


def test_exposure_is_how_far_a_secret_is_ahead_of_chance():
    draw = np.random.default_rng(0)
    others = draw.normal(10, 1, 512)
    chance = [exposure(nats, others) for nats in draw.normal(10, 1, 2000)]
    assert np.mean(chance) == pytest.approx(1 / np.log(2), abs=0.1)  # of ranks that are all equal
    assert exposure(float(np.median(others)), others) == pytest.approx(1, abs=0.01)
    assert exposure(-50.0, others) == BITS
    assert 9 <= exposure(5.5, others) < BITS
    assert exposure(99.0, others) == 0


def test_half_are_planted_once_and_half_ten_times():
    found = canaries(3, seed=1)
    texts = [document.text for document in planted(found)]
    assert [texts.count(each.text) for each in found] == [1, 1, 1, 10, 10, 10]
    assert len({each.secret for each in found}) == 6
    assert found == canaries(3, seed=1) != canaries(3, seed=2)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Of a run that read little text, and its canaries, very often."""
    folder, draw = tmp_path_factory.mktemp("memorization"), random.Random(0)
    (folder / "text").mkdir()
    for number in range(60):
        text = " ".join(draw.choice(WORDS) for _ in range(40))
        (folder / "text" / f"{number}.txt").write_text(f"{text} {number}.")
    corpus = build([folder / "text"], folder / "corpus", progress=QUIET)
    plan = {"vocab": 300, "depth": 1, "width": 64, "heads": 2, "context": 64, "rows": 8}
    values = {"tokens": 150_000, "plan": plan, "compiled": False, "dtype": "float32", "canaries": 2}
    project = Text(corpus.folder)
    train(project, folder / "run", project.request(values), progress=QUIET)
    code, out, err = hornbook("memorization", folder / "run", "--samples", "3", "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.slow
def test_what_was_read_often_is_remembered(found):
    once, often = (row for row in found["canaries"]["planted"])
    assert (once["copies"], often["copies"]) == (1, 10)
    assert often["value"] > once["value"] - 1
    assert often["value"] > 6
    assert found["membership"]["low"] > 0.5
    assert found["overlap"]["longest"] > 24
    assert found["overlap"]["places"]


@pytest.mark.slow
def test_the_report_of_the_run_says_it(found):
    page = Path(found["report"]).read_text()
    assert page.count('id="memory"') == 1
    for row in found["canaries"]["planted"]:
        assert f"{row['low']:.1f}–{row['high']:.1f}" in page
    assert f"{found['membership']['value']:.3f} of pairs" in page
