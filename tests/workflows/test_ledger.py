"""The ledger: intervals made of what came true hold what they promise, and learn from repeats."""

import math
import random

import pytest

from hornbook.core.home import home
from hornbook.training.measures import MEASURES
from hornbook.workflows.runs import ledger
from hornbook.workflows.runs.ledger import COVERED, LedgerEntry, Likeness, entries, learned


def entry(slope, data="some", model="qwen3", measure="bits_per_byte", steps=640, began=2.5):
    """A run that fell by this slope from its rehearsal."""
    first = steps // 16
    score = began * (steps / first) ** -slope
    foretold = {"rehearsed_score": began, "rehearsed_steps": first, "low": 1.0, "high": 2.0}
    return LedgerEntry(
        at="2026-01-01", run="r", kind="text", measure=measure, data=data, model=model,
        foretold=foretold, reached={"score": score, "steps": steps},
    )  # fmt: skip


def test_an_entry_says_which_slope_would_have_been_right():
    assert entry(0.13).slope == pytest.approx(0.13)
    broken = entry(0.13).model_copy(update={"reached": {"score": None, "steps": 3}})
    assert broken.slope is None


def test_without_a_past_the_law_speaks():
    law = MEASURES["bits_per_byte"]
    found = learned(Likeness("bits_per_byte", "new", "qwen3"), [])
    assert found.fall.middle == pytest.approx(law.slope)
    assert found.fall.low == pytest.approx(law.slope - 1.28 * law.spread, abs=0.015)
    assert (found.runs, found.same_data) == (0, 0)


@pytest.mark.parametrize("middle", [0.06, 0.11, 0.2])
def test_four_of_five_lie_inside_wherever_the_truth_is(middle):
    """Also where the law that was shipped is far off: runs of many data teach it."""
    draw, past, inside = random.Random(7), [], []
    for number in range(400):
        true = draw.gauss(middle, 0.025)
        fall = learned(Likeness("bits_per_byte", str(number), "qwen3"), past[-200:]).fall
        inside.append(fall.low <= true <= fall.high)
        past.append(entry(true, data=str(number)))
    assert COVERED - 0.1 <= sum(inside[40:]) / 360 <= COVERED + 0.1


def test_what_always_missed_on_the_same_text_lies_inside_after_three_times():
    """1.71 was foretold and 1.48 reached, each time anew."""
    like, past = Likeness("bits_per_byte", "docs", "qwen3"), [entry(0.1, str(i)) for i in range(8)]
    true = 0.167
    assert not learned(like, past).fall.high >= true
    for _ in range(3):
        past.append(entry(true + random.Random(1).gauss(0, 0.004), "docs"))
    found = learned(like, past)
    assert found.fall.low <= true <= found.fall.high
    assert abs(found.fall.middle - true) < 0.02
    assert found.same_data == 3
    other = learned(Likeness("bits_per_byte", "another", "qwen3"), past)
    assert abs(other.fall.middle - 0.1) < 0.03


def test_other_measures_do_not_count():
    past = [entry(0.5, measure="error") for _ in range(20)]
    assert learned(Likeness("bits_per_byte", "x", "y"), past).runs == 0


def test_lines_that_are_broken_are_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path))
    good = entry(0.1).model_dump_json()
    text = f'{good}\n{{"at": 1}}\n[1]\n\n{good}\n{good[: len(good) // 2]}'
    (home() / ledger.FILE).write_text(text, encoding="utf-8")
    assert len(entries()) == 2


def test_a_home_that_cannot_be_written_to_costs_no_run(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HORNBOOK_HOME", str(tmp_path / "file"))
    assert entries() == []


def test_bounds_grow_apart_with_the_spread():
    narrow, wide = (
        learned(
            Likeness("error", "x", ""),
            [entry(0.2 + by * (i % 5 - 2), str(i), measure="error") for i in range(60)],
        )
        for by in (0.005, 0.05)
    )
    assert wide.fall.high - wide.fall.low > narrow.fall.high - narrow.fall.low
    assert math.isfinite(wide.fall.high)
