"""The score of a run of any kind."""

import pytest

from hornbook.serve.studio.scores import RunScore, curve_of, score_of

FOUND = {"value": 0.9, "low": 0.8, "high": 0.95}
LOOKS = [{"kind": "train", "loss": 5.0}, {"kind": "validation", "loss": 0.4, "accuracy": 0.85}]


@pytest.mark.parametrize(
    ("result", "rows", "said"),
    [
        ({"metrics": {"accuracy": FOUND}}, LOOKS, ("accuracy", "90.0%", "80.0%–95.0%")),
        ({}, LOOKS, ("accuracy", "85.0%", "")),
        ({"held_out": {"unit": "nats", "after": FOUND}}, [], ("loss", "0.900", "0.800–0.950")),
        ({"held_out": {"mrr@10": {"after": FOUND}}}, [], ("mrr@10", "0.900", "0.800–0.950")),
        ({"bleu": FOUND, "nats_per_token": 2.0}, [], ("bleu", "0.9", "0.8–0.9")),
        ({"bits_per_byte": 1.5, "metrics": "x"}, [], ("bits_per_byte", "1.500", "")),
        ({}, [{"kind": "validation", "nats_per_token": 2.0}], ("nats_per_token", "2.000", "")),
        ({"metrics": [], "held_out": None}, [], ("", "", "")),
    ],
)
def test_each_kind_has_its_score(result, rows, said):
    found = score_of(result, rows)
    assert (found.measure, found.text, found.interval) == said


def test_a_curve_is_of_what_falls():
    assert curve_of(LOOKS) == "loss" and curve_of(LOOKS[:1]) == "" and RunScore().text == ""
    assert curve_of([*LOOKS, {"kind": "validation", "bits_per_byte": 2.0}]) == "bits_per_byte"
