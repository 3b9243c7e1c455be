"""A plan says what a run would be, in minutes, hours or energy, and leaves nothing behind."""

import json

import pytest

from hornbook.core.errors import UsageError
from hornbook.workflows import plan
from hornbook.workflows.plan import Budget
from tests.in_process import hornbook
from tests.tiny import slow
from tests.workflows.makers import MAKERS


def test_minutes_hours_and_energy_are_the_same():
    assert Budget.of(30, None, None, None).minutes == 30
    assert Budget.of(None, 0.5, None, None).minutes == 30
    assert Budget.of(None, None, 0.1, 200).minutes == pytest.approx(30)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((1, 1, None, None), "--minutes and --hours say it twice"),
        ((None, None, 1, None), "--kwh needs --watts"),
        ((None, None, 1, 0), "must be above 0"),
        ((None, 1e9, None, None), "must be 0.1 to"),
        ((0.001, None, None, None), "must be 0.1 to"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, said):
    with pytest.raises(UsageError, match=said):
        Budget.of(*given)


@pytest.mark.parametrize("kind", slow("images", "pairs", "text"))
def test_a_run_is_planned_as_it_would_be(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "_REHEARSING_S", 0.1)
    data, values = MAKERS[kind](tmp_path)
    options = {
        "text": lambda: ["--corpus", data["corpus"]],
        "images": lambda: ["--images", data["folder"]],
        "pairs": lambda: [part for name in ("train", "validation", "test") for part in
                          ("--pairs" if name == "train" else f"--{name}", data[name])],
    }  # fmt: skip
    sizes = [f"--set=plan.{name}={value}" for name, value in values["plan"].items()]
    more = [f"--set={name}={values[name]}" for name in ("size", "channels") if name in values]
    before = sorted(tmp_path.iterdir())
    code, out, err = hornbook(
        "plan", *options[kind](), *sizes, *more, "--kwh", 0.02, "--watts", 100, "--json"
    )
    assert code == 0, err
    found = json.loads(out)
    assert found["minutes"] == pytest.approx(12)
    assert found["kwh"] == pytest.approx(0.02)
    score = found["forecast"]
    assert score["low"] < score["score"] < score["high"]
    assert 0 < found["training_seconds"] <= 720
    assert found["memory"]["peak_bytes"] > 0
    assert found["past"]["runs"] >= 0
    assert {choice["name"] for choice in found["choices"]} >= values["plan"].keys() - {"tokens"}
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_and_rows_are_planned_without_a_score(tmp_path):
    data, _ = MAKERS["answers"](tmp_path)
    code, out, err = hornbook("plan", data["model"], "--data", data["data"], "--set=epochs=2")
    assert code == 0, err
    assert "Score: not foretold" in out
    code, _, err = hornbook("plan", data["model"])
    assert (code, "holds nothing to train" in err) == (2, True)


@pytest.mark.slow
def test_minutes_alone_give_sizes(tmp_path):
    code, out, err = hornbook("plan", "--hours", 2, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["forecast"] is None
    assert found["targets"] > 0
    code, _, err = hornbook("plan")
    assert (code, "Say how long" in err) == (2, True)
