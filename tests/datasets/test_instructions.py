"""Every form of rows that teach answers is recognised, and a row of none is named."""

import gzip
import json

import pytest

from hornbook.core.errors import UsageError
from hornbook.datasets.instructions import has_preferences, read_conversations, read_preferences
from hornbook.read.documents import Rejection

U, A, S = ({"role": role, "content": role[0]} for role in ("user", "assistant", "system"))
ROWS = {
    "messages": {"messages": [S, U, A]},
    "prompt/completion": {"prompt": "u", "completion": "a"},
    "alpaca": {"instruction": "u", "input": "", "output": "a"},
    "sharegpt": {"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]},
}


def write(path, rows):
    data = (
        json.dumps(rows)
        if ".jsonl" not in path.name
        else "\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows)
    ).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def read(path, rows, reader=read_conversations):
    return list(reader(write(path, rows)))


@pytest.mark.parametrize("name", ["d.json", "d.jsonl", "d.json.gz", "d.jsonl.gz"])
def test_mixed_forms_are_read_row_by_row(name, tmp_path):
    found = read(tmp_path / name, list(ROWS.values()))
    assert [row.form for row in found] == list(ROWS)
    assert [list(row.messages)[-2:] for row in found] == [[U, A]] * 4
    assert found[2].place.endswith(f"{name}, row 3")


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"instruction": "u", "input": "more", "output": "a"},
         [{"role": "user", "content": "u\n\nmore"}, A]),
        ({"instruction": "u", "output": "a", "system": "s", "history": [["u", "a"]]},
         [S, U, A, U, A]),
        ({"prompt": [S, U], "completion": [A]}, [S, U, A]),
        ({"prompt": "u", "response": "a"}, [U, A]),
        ({"conversations": [U, A], "system": "s"}, [S, U, A]),
    ],
)  # fmt: skip
def test_what_else_the_forms_may_hold(row, messages, tmp_path):
    (found,) = read(tmp_path / "d.jsonl", [row])
    assert list(found.messages) == messages


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": "x"}, "no conversation"),
        ([1], "no row"),
        ({"messages": "x"}, "no conversation"),
        ({"messages": [U]}, "no answer"),
        ({"messages": [{"role": "tool", "content": "x"}, A]}, "unknown speaker"),
        ({"messages": [{"role": "user", "content": None}, A]}, "no text"),
        ({"instruction": "u", "output": " "}, "empty answer"),
        ({"instruction": "u", "output": [3]}, "no text"),
        ({"messages": '[{"role": "user", "content": "cut'}, "no conversation"),
        ({"prompt": "u", "completion": None}, "empty answer"),
        ({"instruction": "u", "output": "a", "history": [["u"]]}, "no conversation"),
        ("{broken", "not JSON"),
    ],
)  # fmt: skip
def test_a_row_of_no_form_costs_itself(row, reason, tmp_path):
    bad, good = read(tmp_path / "d.jsonl", [row, ROWS["alpaca"]])
    assert isinstance(bad, Rejection)
    assert (bad.reason, bad.line) == (reason, 1)
    assert good.form == "alpaca"


def test_preferences_in_every_form(tmp_path):
    gpt = {"from": "gpt", "value": "a"}
    rows = [
        {"instruction": "u", "output": "a", "chosen": "a", "rejected": "b"},
        {"prompt": "u", "chosen": "a", "rejected": "b"},
        {"conversations": [{"from": "human", "value": "u"}], "chosen": gpt,
         "rejected": {"from": "gpt", "value": "b"}},
        {"chosen": [U, A], "rejected": [U, {"role": "assistant", "content": "b"}]},
    ]  # fmt: skip
    found = read(tmp_path / "d.json", rows, read_preferences)
    assert [(list(p.prompt), p.chosen, p.rejected) for p in found] == [([U], "a", "b")] * 4
    assert [p.form for p in found] == ["alpaca", "prompt/completion", "sharegpt", "messages"]
    assert has_preferences(tmp_path / "d.json")


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "u", "chosen": "a"},
        {"prompt": "u", "chosen": "a", "rejected": "a"},
        {"prompt": "u", "chosen": "a", "rejected": ""},
        {"chosen": "a", "rejected": "b"},
        {"chosen": [U, A], "rejected": [S, A]},
        {"prompt": "u", "chosen": [1], "rejected": "b"},
    ],
)
def test_what_prefers_nothing_costs_itself(row, tmp_path):
    (found,) = read(tmp_path / "d.jsonl", [row], read_preferences)
    assert isinstance(found, Rejection)
    assert found.line == 1


def test_what_is_no_such_file_is_said_at_once(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_conversations(tmp_path / "none.json").__next__()
    with pytest.raises(UsageError, match=r"Read are .*\.json"):
        read_conversations(write(tmp_path / "d.txt", [])).__next__()
    assert not has_preferences(write(tmp_path / "d.json", [ROWS["alpaca"]]))


@pytest.mark.parametrize(
    "flag", [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"training": False}, {"loss": False}]
)
def test_an_answer_that_is_not_to_be_learned_says_so(tmp_path, flag):
    turns = [U, {**A, **flag}, U, {**A, "weight": 1, "train": True, "loss": None}]
    (found,) = read(tmp_path / "d.jsonl", [{"messages": turns}])
    assert ["masked" in message for message in found.messages] == [False, True, False, False]
    (refused,) = read(tmp_path / "d.jsonl", [{"messages": turns[:2]}])
    assert refused.reason == "no answer"


@pytest.mark.parametrize("weight", [0.5, 2, -1, "0", [0]])
def test_an_unknown_weight_is_refused(tmp_path, weight):
    (found,) = read(tmp_path / "d.jsonl", [{"messages": [U, {**A, "weight": weight}]}])
    assert found.reason == "unknown weight" and repr(weight) in found.detail
