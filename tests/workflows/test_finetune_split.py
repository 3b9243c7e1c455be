"""What is asked first stands on one side; the held-out parts keep their shares, or it is said."""

import pytest

from hornbook.core.errors import HornbookError
from hornbook.datasets.instructions import Preference
from hornbook.datasets.split import held_apart, split
from hornbook.workflows.projects.answers.data import Sample


def talk(*turns):
    """u: what the user says, a: an answer, s: a system text, each after its letter."""
    roles = {"u": "user", "a": "assistant", "s": "system"}
    messages = tuple({"role": roles[t[0]], "content": t[1:]} for t in turns)
    return Sample(messages, "", "messages", "row")


ROWS = {
    "plain": [talk(f"uq{i}", f"aa{i}") for i in range(300)],
    "the assistant first": [talk("aHello", f"uq{i}", f"aa{i}") for i in range(300)],
    "a system text": [talk("sBe kind.", f"uq{i}", f"aa{i}") for i in range(300)],
    "a system text alone": [talk("sTell one.", f"aa{i}") for i in range(300)],
    "a greeting": [
        talk("uHi", f"aHey {i}", f"uq{i}", f"aa{i}") if i % 5 < 3 else talk(f"uq{i}", f"aa{i}")
        for i in range(300)
    ],
    "one question in most rows": [talk(f"uq{i if i % 5 > 2 else 0}", f"aa{i}") for i in range(300)],
    "three answers each": [talk(f"uq{i // 3}", f"aa{i}") for i in range(300)],
    "preferences": [
        Preference(talk(f"uq{i // 2}").messages, f"a{i}", f"b{i}", "f", "row") for i in range(300)
    ],
    "texts": [Sample((), f"text {i}", "text", "row") for i in range(300)],
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", ROWS)
def test_shares_hold(name, seed):
    parts = split(ROWS[name], seed)
    assert not parts.note
    assert 27 <= len(parts.test) <= 30 and 27 <= len(parts.validation) <= 30
    assert len(parts.train) + len(parts.test) + len(parts.validation) == 300


@pytest.mark.parametrize("name", ["one question in most rows", "three answers each", "preferences"])
def test_a_question_stands_on_one_side(name):
    parts = split(ROWS[name], 3)
    sides = [
        {(s.prompt if isinstance(s, Preference) else s.messages)[0]["content"] for s in side}
        for side in parts[:3]
    ]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]


def test_the_order_of_rows_changes_nothing():
    one, other = split(ROWS["a greeting"], 5), split(ROWS["a greeting"][::-1], 5)
    assert sorted(map(str, one.test)) == sorted(map(str, other.test))


def test_what_cannot_be_held_out_is_said():
    rows = [talk("uHi", f"aa{i}") for i in range(288)] + [talk(f"uq{i}", "aa") for i in range(12)]
    parts = split(rows, 0)
    assert len(parts.test) == len(parts.validation) == 3  # some are trained on as well
    assert "288 of 300 rows ask the same: 'Hi'" in parts.note


def test_too_few_questions_are_refused_with_the_commonest():
    with pytest.raises(
        HornbookError, match=r"1 different prompts.*300 of 300 rows ask the same: 'Hi'"
    ):
        split([talk("uHi", f"aa{i}") for i in range(300)], 0)
    with pytest.raises(HornbookError, match="10 are the least"):
        split([talk(f"uq{i}", "aa") for i in range(9)], 0)


def test_many_answers_to_each_question():
    parts = split([talk(f"uq{i % 11}", f"aa{i}") for i in range(1100)], 0)
    assert len(parts.test) == len(parts.validation) == 100 and len(parts.train) == 900


def test_what_is_held_out_by_the_user_is_not_trained_on():
    rows = [talk(f"uq{i}", f"aa{i}") for i in range(30)] + [talk("uq1", "aa1")]
    held = [talk(f"uq{i}", f"ab{i % 2}") for i in range(24, 36)]
    parts = held_apart(rows, [*held, held[0]], 0)
    assert {s.messages[0]["content"] for s in parts.train} == {f"q{i}" for i in range(24)}
    assert len(parts.validation) == 4 and len(parts.test) == 8
    assert sorted(map(str, parts.validation + parts.test)) == sorted(map(str, held))
    assert parts.doubles == 8  # six that are held out as well, and two that are there twice
    with pytest.raises(HornbookError, match="are too few"):
        held_apart(rows, held[:1], 0)
    with pytest.raises(HornbookError, match="0 rows to train on"):
        held_apart(held, held, 0)
