"""A tuning within its minutes: what is too long is made smaller, and stays so when resumed."""

import pytest

from hornbook.core.clock import Clock
from hornbook.core.files import read_json
from hornbook.datasets.samples import evenly
from hornbook.workflows.projects import resume
from hornbook.workflows.projects.answers import problem as preparing
from hornbook.workflows.projects.answers.before import Sizes
from hornbook.workflows.projects.answers.request import AnswersRecipe
from hornbook.workflows.runs import settle as settling
from hornbook.workflows.runs import timed as timing
from hornbook.workflows.runs.timed import Spent, evaluations_in_time, steps_in_time
from tests.workflows.test_finetune import QUIET, Heard, crash_at, folder, tune  # noqa: F401


def test_what_is_scored_is_spread_evenly():
    assert evenly(range(100), 4) == [0, 33, 66, 99]
    assert evenly(range(3), 10) == [0, 1, 2]


def test_steps_and_evaluations_leave_room_for_the_rest():
    clock = Clock.start(1.0)
    spent = Spent(validation=2.0, ending=10.0, keeping=0.1)
    evaluations, _ = evaluations_in_time(clock, spent)
    assert evaluations == 7  # a quarter of a minute holds seven of 2.1 seconds
    steps, _, training_s = steps_in_time(clock, spent, 0.5, evaluations, once=1000)
    assert 45 < training_s < 50
    assert steps * 0.5 + evaluations * 2.1 + 0.05 * training_s < training_s
    assert steps * 0.5 > 0.5 * training_s
    assert steps_in_time(clock, spent, 1e-4, evaluations, once=10)[0] == 50, "five passes at most"
    used = Clock(1.0, clock.began - 70)  # preparations took more than all of it
    assert steps_in_time(used, spent, 1.0, 1, once=1000)[2] == 0


def test_a_run_in_minutes_is_measured_on_what_there_is_time_for(folder, tmp_path, monkeypatch):  # noqa: F811
    """And one that was cut goes on with the same samples, the same steps, to an end."""
    monkeypatch.setattr(preparing, "sizes_in_time", lambda *_: Sizes(3, 5, 1))
    monkeypatch.setattr(settling, "gradient_seconds", lambda *_: 1e6)
    monkeypatch.setattr(timing, "steps_in_time", lambda *_: (6, "six", 60.0))
    heard = Heard()
    wishes = {"method": "lora:4", "epochs": None, "minutes": 1.0}
    with monkeypatch.context() as patch:
        crash_at(patch, 3)
        with pytest.raises(RuntimeError):
            tune(folder, tmp_path / "run", progress=heard, **wishes)
    assert any("5 of 10 test samples are scored" in line for line in heard.lines), heard.lines
    assert any(line.startswith("  rows = 1: ") for line in heard.lines)
    monkeypatch.setattr(preparing, "sizes_in_time", lambda *_: pytest.fail("sized anew"))
    monkeypatch.setattr(preparing, "measure", lambda *_: pytest.fail("measured anew"))
    monkeypatch.setattr(settling, "gradient_seconds", lambda *_: pytest.fail("timed anew"))
    before = read_json(tmp_path / "run" / "before.json")
    assert len(before["test"]["sums"]) == 5 and len(before["general"]["sums"]) == 1
    facts = resume(tmp_path / "run", QUIET)
    recipe = AnswersRecipe.load(tmp_path / "run")
    assert recipe.plan.rows == recipe.plan.micro_rows == 1
    assert facts["held_out"]["items"] == 5 and facts["general"]["items"] == 1
    assert facts["steps"] == recipe.loop.steps == 6
