"""Several runs beside each other: one chart, and what differs between them."""

import json

import pytest

from hornbook.core.config import read_recipe
from hornbook.core.yaml_text import write_yaml
from hornbook.serve.studio.run_log import figures, steps_per_pass
from hornbook.serve.studio.together import differences
from tests.serve.studio.conftest import HOSTILE, write_run


@pytest.fixture(scope="module")
def runs(studio):
    for name, depth in (("shallow", 2), ("deeper", 4)):
        folder = studio.folder / "pair" / name
        write_run(folder)
        recipe = read_recipe(folder / "recipe.yaml")
        recipe |= {
            "request": {"seed": 0, "minutes": 5.0}, "plan": {"depth": depth, "width": 64},
            "choices": [["depth", depth, f"{HOSTILE} {depth}"]], "steps_per_epoch": 16,
        }  # fmt: skip
        (folder / "recipe.yaml").write_text(write_yaml(recipe))
    return studio


def test_what_changed_has_both_values_and_both_scores(runs):
    text = runs.get("/together?id=pair/shallow&id=pair/deeper").text
    assert "<code>plan.depth</code>" in text and "<code>plan.width</code>" not in text
    assert text.count("<b>2.000</b> (1.900–2.100)") == 2
    assert "<script>document" not in text and "&lt;script&gt;document" in text
    found = runs.get("/together/figures?id=pair/shallow&id=pair/deeper").json()
    assert [run["id"] for run in found] == ["pair/shallow", "pair/deeper"]
    assert found[0]["train"]["passes"][:2] == [0.0625, 0.125]
    assert "What changed against" in runs.get("/run?id=pair/shallow").text


def test_only_runs_that_are_there_are_set_beside_each_other(runs):
    assert "Choose runs" in runs.get("/together").text
    for wrong in ("nothing", "../x", HOSTILE):
        found = runs.get("/together", params={"id": ["pair/shallow", wrong]})
        assert found.status_code == 404 and "<script>document" not in found.text
    assert runs.get("/together/figures?id=nothing").status_code == 404


def test_differences_are_those_of_what_was_decided():
    one = {
        "kind": "text",
        "plan": {"depth": 2},
        "choices": [["depth", 2, "short"]],
        "places": {"corpus": "a"},
    }
    other = {
        "kind": "text",
        "plan": {"depth": 3},
        "choices": [["depth", 3, "long"]],
        "loop": {"clip": 1.0},
    }
    assert differences([one, other]) == [
        ("plan.depth", ["2", "3"], ["short", "long"]),
        ("loop.clip", [None, "1"], ["", ""]),
    ]
    assert differences([one, one]) == [] and differences([]) == []


def test_passes_are_known_where_the_recipe_tells_how_long_one_is(tmp_path):
    assert steps_per_pass({"steps_per_epoch": 10.0}) == 10
    assert steps_per_pass({"forecast": {"steps": 40, "epochs": 2.0}}) == 20
    assert (
        steps_per_pass({}) is None
        and steps_per_pass({"forecast": {"steps": 1, "epochs": 0}}) is None
    )
    write_run(tmp_path / "run")
    assert "passes" not in json.loads(json.dumps(figures(tmp_path / "run")))["train"]
