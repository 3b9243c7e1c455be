"""An integer is a place and a text a text, whatever the choices are; what is neither is refused."""

import json
from pathlib import Path

import pytest

from hornbook.core.errors import UsageError
from hornbook.evaluate.answers import place_of, value_of
from hornbook.evaluate.items import read_items
from hornbook.evaluate.kinds.choice import ChoiceTask
from hornbook.evaluate.load import load_task

NUMBERS, WORDS = ["2", "4", "1", "3"], ["red", "green", "blue", "grey"]


@pytest.mark.parametrize(
    ("answer", "choices", "kind", "place"),
    [
        (1, NUMBERS, "any", 1),
        ("1", NUMBERS, "any", 2),
        (1.0, NUMBERS, "any", 1),
        (" 4 ", NUMBERS, "any", 1),
        ("B", WORDS, "any", 1),
        ("(c)", WORDS, "any", 2),
        ("D.", WORDS, "any", 3),
        ("green", WORDS, "any", 1),
        ("A", ["B", "A"], "any", 1),
        ("A", ["B", "A"], "letter", 0),
        (1, WORDS, "number", 0),
        ("4", WORDS, "number", 3),
        ("0", WORDS, "index", 0),
        ("1", NUMBERS, "index", 1),
        (1, NUMBERS, "text", 2),
        (4.0, NUMBERS, "text", 1),
        (0.5, ["0.25", "0.5"], "any", 1),
        (True, ["no", "yes"], "any", 1),
        (True, ["true", "false"], "any", 0),
        (False, ["True", "false"], "any", 1),
    ],
)
def test_what_an_answer_means(answer, choices, kind, place):
    assert place_of(answer, choices, kind) == place


@pytest.mark.parametrize(
    ("answer", "choices", "kind", "sentence"),
    [
        ("1", WORDS, "any", "answer_is: index .from 0., number .from 1."),
        (4, NUMBERS, "any", "answer_is"),
        (-1, WORDS, "any", "neither a choice, a letter nor a place"),
        ("e", WORDS, "any", "neither"),
        ("yellow", WORDS, "any", "'yellow' is neither.*'red', 'green'"),
        (0.5, WORDS, "any", "neither"),
        (None, WORDS, "any", "None is neither"),
        (True, WORDS, "any", "True is neither"),
        (0, WORDS, "number", "no place from 1"),
        (4, WORDS, "index", "no place from 0"),
        ("green", WORDS, "letter", "no letter"),
        ("B", WORDS, "text", "no choice"),
        ("9" * 30, WORDS, "index", "no place"),
    ],
)
def test_what_is_none_is_refused(answer, choices, kind, sentence):
    with pytest.raises(UsageError, match=sentence):
        place_of(answer, choices, kind)


def test_a_single_expression_keeps_its_kind():
    row = {"a": 1, "b": "x", "c": [0.5]}
    assert value_of("{{ a }}", row) == 1 and value_of(" {{- a + 1 -}} ", row) == 2
    assert value_of("{{ a }}{{ b }}", row) == "1x" and value_of("{{ c[0] }}", row) == 0.5
    assert (
        value_of("{% if a %}B{% endif %}", row) == "B" and value_of("{{ b | upper }}", row) == "X"
    )


def task(**values) -> ChoiceTask:
    given = {"content": "{{ q }}", "prompt": "{{ q }}", "choices": "choices", "answer": "{{ a }}"}
    return ChoiceTask.parse({**given, **values}, "t")


def data(folder: Path, name: str, rows: list[dict]) -> Path:
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_tasks_over_rows(tmp_path):
    rows = [{"q": f"q{i}", "choices": NUMBERS, "a": i % 4} for i in range(4)]
    found = read_items(task(), data(tmp_path, "a.jsonl", rows), None, 0, None, 0)
    shown = [task().shown(item.row) for item in found.test]
    assert shown == [" 2", " 4", " 1", " 3"]
    texts = [{**row, "a": str(row["a"])} for row in rows]
    with pytest.raises(UsageError, match=r"b\.jsonl, row 1: answer: '0' is neither"):
        read_items(task(), data(tmp_path, "b.jsonl", texts), None, 0, None, 0)
    said = task(answer_is="index")
    found = read_items(said, tmp_path / "b.jsonl", None, 0, None, 0)
    assert [said.shown(item.row) for item in found.test] == shown


def test_labels_are_texts_as_they_are_written(tmp_path):
    lines = "kind: classify\ncontent: '{{ t }}'\nlabels: {yes: ' y', no: ' n', 0: ' z'}\n"
    (tmp_path / "t.yaml").write_text(lines + "answer: '{{ label }}'\n")
    loaded = load_task(str(tmp_path / "t.yaml")).task
    assert [loaded.label({"t": "", "label": v}) for v in ("yes", "no", 0, 0.0)] == [
        "yes",
        "no",
        "0",
        "0",
    ]
    truth = load_task(str(tmp_path / "t.yaml"), ["labels={true: a, false: b}"]).task
    assert truth.label({"t": "", "label": True}) == "true"
    with pytest.raises(UsageError, match="write it in quotes: 'true'"):
        load_task(str(tmp_path / "t.yaml"), ["labels={yes: true, no: b}"])
