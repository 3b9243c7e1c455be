"""A verdict on texts needs models that learned something."""

import copy

from hornbook.workflows.compare.domain import _missing, _verdict, lines_of


def row(name, seen, domain, general, steps):
    sides = {
        side: {"value": value, "low": value - 0.01, "high": value + 0.01}
        for side, value in (("domain", domain), ("general", general))
    }
    return {
        "name": name,
        "seen": seen,
        **sides,
        "steps": steps,
        "passes": steps / 700,
        "tokens": 9_000,
    }


RESULT = {
    "tokens": 9_000,
    "notes": [],
    "rows": [
        row("domain", ["domain"], 1.5, 2.4, 300),
        row("general", ["general"], 2.1, 1.8, 300),
        row("general_then_domain", ["general", "domain"], 1.6, 2.0, 150),
    ],
    "floors": {"domain": {"gzip": 2.5}, "general": {"gzip": 2.6}},
    "differences": {"domain": {"domain": {"value": -0.6, "low": -0.7, "high": -0.5}}},
}


def test_trained_models_get_a_verdict():
    verdict = _verdict(RESULT, _missing(RESULT))
    assert verdict["choose"] == "domain" and verdict["clear"]
    assert "a clear gain" in lines_of({**RESULT, "verdict": verdict})[-1]


def test_fourteen_steps_get_none_and_what_is_missing_is_said():
    few = copy.deepcopy(RESULT)
    few["rows"][0] |= {"steps": 14, "passes": 0.02}
    verdict = _verdict(few, _missing(few))
    assert verdict["choose"] is None and not verdict["clear"]
    assert "domain took 14 steps, 0.0 passes (at least 100)" in verdict["reason"]
    assert "general" not in verdict["reason"]


def test_a_model_that_a_compressor_beats_gets_none():
    poor = copy.deepcopy(RESULT)
    poor["rows"][2]["domain"]["value"] = 2.7
    assert "no better than gzip" in _verdict(poor, _missing(poor))["reason"]
