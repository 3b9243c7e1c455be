"""Tasks as files: every built-in one is whole, and mistakes name the nearest valid key."""

import gzip
import json
import re
from pathlib import Path

import pytest

from hornbook.core.errors import UsageError
from hornbook.datasets.labelled import read_labelled, split, without_copies
from hornbook.evaluate.items import read_items
from hornbook.evaluate.kinds import KINDS
from hornbook.evaluate.load import DATA, built_in, find_data, load_task
from hornbook.evaluate.prompts import Prompter, draw_shots
from hornbook.evaluate.rows import read_rows
from hornbook.evaluate.task import Item
from hornbook.evaluate.templates import evaluate, render

ROW = {
    "text": "One two three", "good": "a b", "bad": "b a", "phenomenon": "p", "paradigm": "q",
    "label": "pos", "category": "sport", "title": "T", "source": ["One.", "Two."], "target": ["t"],
    "context": "c", "question": "q", "answers": ["a"], "instruction": "i", "input": "",
    "output": "o",
}  # fmt: skip


@pytest.mark.parametrize("name", built_in())
class TestEveryTask:
    def test_it_can_be_used(self, name, tokenizer):
        loaded = load_task(name)
        task = loaded.task
        row = ROW if name != "sms_spam" else {**ROW, "label": "ham"}
        assert task.about
        assert KINDS[loaded.kind].parse(task.plain(), "again") == task
        task.check(row)
        assert task.columns is None or set(task.columns) <= set(ROW)
        assert task.cut is None or task.cut in row
        if loaded.kind != "perplexity":
            item = Item(0, row, render(task.content, row))
            prompt = Prompter(task, tokenizer, 10_000, [row]).prompt(item, 8)
            assert prompt.ids and task.shown(row).strip() in prompt.text

    @pytest.mark.data
    def test_its_data_is_there(self, name, tokenizer):
        loaded = load_task(name)
        task = loaded.task
        if task.data is None:
            return
        train = find_data(loaded, task.train) if task.train else None
        found = read_items(task, find_data(loaded, task.data), train, 2, 20, seed=0)
        assert len(found.test) == 20 and len(found.shots) == 2
        contents = {item.content for item in found.test}
        assert not contents & {item.content for item in [*found.shots, *found.pool]}


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


GOOD = "kind: pair\ncontent: '{{ good }}'\ngood: '{{ good }}'\nbad: '{{ bad }}'\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "shot: 3\n", "unknown key 'shot'. Did you mean 'shots'"),
        (
            GOOD.replace("kind: pair", "kind: par"),
            "Unknown kind of task 'par'. Did you mean 'pair'",
        ),
        (GOOD.replace("kind: pair\n", ""), "key 'kind' is missing"),
        (GOOD.replace("bad: '{{ bad }}'\n", ""), "key 'bad' is missing"),
        (GOOD + "test_share: 2\n", "test_share = 2"),
        ("[1", "not valid YAML"),
    ],
)
def test_a_broken_task_is_one_line(tmp_path, text, message):
    with pytest.raises(UsageError) as error:
        load_task(str(write(tmp_path / "t.yaml", text)))
    assert message in str(error.value)


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(UsageError, match=r"Unknown task 'lambda'\. Did you mean 'lambada'"):
        load_task("lambda")
    with pytest.raises(UsageError, match="does not exist"):
        load_task("no/such.yaml")


def test_keys_are_set_over_the_file():
    assert load_task("lambada", ["shots=3"]).task.shots == 3
    with pytest.raises(UsageError, match="Did you mean 'shots'"):
        load_task("lambada", ["shotss=3"])


def test_data_is_beside_the_task_or_in_the_data_folder(tmp_path, monkeypatch):
    loaded = load_task(str(write(tmp_path / "t.yaml", GOOD + "data: sub/d.jsonl\n")))
    monkeypatch.delenv(DATA, raising=False)
    with pytest.raises(UsageError, match="--data"):
        find_data(loaded, loaded.task.data)
    (tmp_path / "base" / "sub").mkdir(parents=True)
    there = write(tmp_path / "base" / "sub" / "d.jsonl", "{}")
    monkeypatch.setenv(DATA, str(tmp_path / "base"))
    assert find_data(loaded, loaded.task.data) == there
    (tmp_path / "sub").mkdir()
    beside = write(tmp_path / "sub" / "d.jsonl", "{}")
    assert find_data(loaded, loaded.task.data) == beside
    with pytest.raises(UsageError, match="names no data"):
        find_data(loaded, None)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ txt }}", "'txt'. Did you mean 'text'"),
        ("{{ text", "no Jinja template"),
        ("{{ text.__class__.__mro__ }}", "cannot be used|unsafe"),
        ("{{ text.nothing }}", "has no attribute 'nothing'"),
    ],
)
def test_templates_say_what_is_wrong(template, message):
    with pytest.raises(UsageError, match=message):
        render(template, {"text": "a", "label": "b"})


def test_expressions_give_values():
    assert evaluate("answers | map(attribute='text') | list", {"answers": [{"text": "a"}]}) == ["a"]
    with pytest.raises(UsageError, match=r"'answer'\. Did you mean 'answers'"):
        evaluate("answer[0]", {"answers": []})


SQUAD = {"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": [
    {"id": "1", "question": "q", "answers": [{"text": "a"}, {"text": "a"}, {"text": "b"}]},
    {"id": "2", "question": "none", "answers": []},
]}]}]}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("a.jsonl", '{"text": "x"}\n\n{"text": "y"}\n', [{"text": "x"}, {"text": "y"}]),
        ("a.json", '[{"text": "x"}]', [{"text": "x"}]),
        ("b.json", '{"text": "x"}\n{"text": "y"}', [{"text": "x"}, {"text": "y"}]),
        ("a.csv", 'text,label\n"x, y",1\n', [{"text": "x, y", "label": "1"}]),
        ("a.tsv", 'text\tlabel\n"x\t1\n', [{"text": '"x', "label": "1"}]),
        ("a.txt", "x\n\ny\n", [{"text": "x"}, {"text": "y"}]),
        ("q.json", json.dumps(SQUAD), [
            {"title": "t", "context": "c", "id": "1", "question": "q", "answers": ["a", "b"]},
        ]),
    ],
)  # fmt: skip
def test_rows(tmp_path, name, text, rows):
    assert read_rows(write(tmp_path / name, text)) == rows
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    assert read_rows(tmp_path / f"{name}.gz") == rows


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"a": 1}\n{', "line 2: not JSON"),
        ("a.jsonl", "[1]\n{}", "line 1: no row (a list instead of an object)"),
        ("a.json", '{"rows": 3}', "no list of records"),
        ("a.csv", "a,b\n1\n", "line 2: broken row (1 columns instead of 2)"),
        ("a.xml", "<a/>", "Unknown format"),
        ("a.json", '{"data": [{"paragraphs": [{}]}]}', "item 1 is not in SQuAD's form"),
    ],
)
def test_broken_rows_name_their_place(tmp_path, name, text, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        read_rows(write(tmp_path / name, text))
    with pytest.raises(UsageError, match="does not exist"):
        read_rows(tmp_path / "nowhere.csv")


def spam(count):
    labels = ["ham" if i % 3 else "spam" for i in range(count)]
    return [{"text": f"message {i} of {label}", "label": label} for i, label in enumerate(labels)]


@pytest.fixture
def spam_file(tmp_path):
    rows = spam(60)
    return write(tmp_path / "s.tsv", "".join(f"{r['label']}\t{r['text']}\n" for r in rows))


def test_shots_are_of_the_training_part(spam_file):
    task = load_task("sms_spam", ["test_share=0.3"]).task
    found = read_items(task, spam_file, None, 6, None, seed=1)
    tested = {item.content for item in found.test}
    assert not tested & {item.content for item in found.pool}
    assert {shot.content for shot in found.shots} <= {item.content for item in found.pool}
    labels = [task.label(shot.row) for shot in found.shots]
    assert labels.count("spam") == labels.count("ham") == 3
    again, other = (read_items(task, spam_file, None, 6, None, seed=s) for s in (1, 2))
    assert again == found and other.shots != found.shots and other.test == found.test
    with pytest.raises(UsageError, match="99 shots are asked for, but there are"):
        draw_shots(task, found.pool, 99, 0)


def test_the_test_part_is_that_of_finetune(spam_file):
    """So a model tuned by `finetune --task classify` is asked nothing that it was trained on."""
    rows, _ = without_copies(read_labelled(spam_file).rows)
    _, held_out = split(rows, 0.1, seed=0)
    found = read_items(load_task("sms_spam").task, spam_file, None, 0, None, seed=5)
    assert [item.content for item in found.test] == [row.text for row in held_out]


def test_shots_without_a_training_part_are_not_tested(tmp_path):
    rows = [{"good": f"good {i // 2}", "bad": f"bad {i // 2}"} for i in range(40)]
    data = write(tmp_path / "p.jsonl", "\n".join(map(json.dumps, rows)))
    task = load_task(str(write(tmp_path / "t.yaml", GOOD))).task
    found = read_items(task, data, None, 3, None, seed=0)
    assert len({shot.content for shot in found.shots}) == 3
    assert not {shot.content for shot in found.shots} & {item.content for item in found.test}
    assert len(found.test) == 34, "both copies of a shot are left out"


def test_a_limit_hears_every_group(tmp_path):
    rows = [
        {"good": f"g {i}", "bad": f"b {i}", "of": "rare" if i < 3 else "often"} for i in range(90)
    ]
    data = write(tmp_path / "p.jsonl", "\n".join(map(json.dumps, rows)))
    task = load_task(str(write(tmp_path / "t.yaml", GOOD + "groups: {of: '{{ of }}'}\n"))).task
    found = read_items(task, data, None, 0, 10, seed=0)
    assert [item.row["of"] for item in found.test].count("rare") == 3
    assert [item.number for item in found.test] == sorted(item.number for item in found.test)
    assert (len(found.test), found.total) == (10, 90)


def test_empty_rows_are_left_out_and_missing_fields_named(tmp_path):
    task = load_task(str(write(tmp_path / "t.yaml", GOOD + "distinct: true\n"))).task
    rows = [{"good": "", "bad": "x"}, {"good": "a", "bad": "b"}, {"good": "a ", "bad": "b"}]
    data = write(tmp_path / "p.jsonl", "\n".join(map(json.dumps, rows)))
    found = read_items(task, data, None, 0, None, seed=0)
    assert (len(found.test), found.empty, found.copies) == (1, 1, 1)
    data = write(tmp_path / "q.jsonl", json.dumps({"god": "a", "bad": "b"}))
    with pytest.raises(UsageError, match=r"q.jsonl, row 1: .*'good'. Did you mean 'god'"):
        read_items(task, data, None, 0, None, seed=0)
    data = write(tmp_path / "r.jsonl", json.dumps({"good": " ", "bad": "b"}))
    with pytest.raises(UsageError, match="all 1 rows are empty"):
        read_items(task, data, None, 0, None, seed=0)


def test_long_prompts_lose_shots_and_then_text(tokenizer):
    task = load_task("rt").task
    shots = [{"text": f"shot {i}", "label": "pos"} for i in range(4)]
    item = Item(0, {"text": "good " * 10, "label": "neg"}, "x")
    whole = Prompter(task, tokenizer, 10_000, shots).prompt(item, 4)
    assert (whole.shots, whole.cut) == (4, 0)
    alone = Prompter(task, tokenizer, 10_000, []).prompt(item, 4)
    some = Prompter(task, tokenizer, len(whole.ids) - 5, shots).prompt(item, 4)
    assert 0 < some.shots < 4 and some.text.endswith(alone.text)
    for text in ("good " * 10, "good " * 40_000):
        item = Item(0, {"text": text, "label": "neg"}, "x")
        cut = Prompter(task, tokenizer, len(alone.ids) - 10, shots).prompt(item, 4)
        assert cut.shots == 0 and cut.cut > 0
        assert len(alone.ids) - 30 < len(cut.ids) <= len(alone.ids) - 14
        assert cut.text.startswith("Film review: good ") and cut.text.endswith("The review is")
