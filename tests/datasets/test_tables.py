"""The same table means the same in every format and quoting at every door."""

import csv
import json
from functools import partial

import pytest

from hornbook.core.errors import UsageError
from hornbook.corpus.decontaminate import OverlapConfig, read_items
from hornbook.datasets.columns import read_column, texts_of
from hornbook.datasets.instructions import read_conversations, read_preferences
from hornbook.datasets.labelled import read_labelled
from hornbook.datasets.pairs import read_pairs
from hornbook.evaluate.rows import read_rows as evaluation_rows
from hornbook.evaluate.templates import render
from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.decode import without_controls
from hornbook.read.sources import read_file
from hornbook.workflows.projects.answers import data as answers
from tests.tables import jsonl, objects, parquet, quoted, write

TEXTS = [
    "Plain words, and a comma",
    'He said "never" twice; then left',
    "Two\nlines\tand a tab",
    "你好，明天见\u2028and\x85more\x0cof it",
    "Half of 3,5 | is ^ 1,75",
    "# not a comment",
    "C:\\dir\\",
    "\x1cseparated\x1d",
    "  blanks around it ",
    "Hello\nworld",
    "Plain words, and a comma",
]


FORMS = {
    "comma.csv": lambda n, r: quoted([n, *r]),
    "semicolon.csv": lambda n, r: quoted([n, *r], ";"),
    "tab.csv": lambda n, r: quoted([n, *r], "\t"),
    "pipe.csv": lambda n, r: quoted([n, *r], "|"),
    "caret.csv": lambda n, r: quoted([n, *r], "^", end="\n"),
    "all.csv": lambda n, r: quoted([n, *r], quoting=csv.QUOTE_ALL),
    "sep.csv": lambda n, r: "sep=;\r\n" + quoted([n, *r], ";"),
    "sep tab.csv": lambda n, r: '"sep=\\t"\n' + quoted([n, *r], "\t"),
    "mark.csv": lambda n, r: "\ufeff" + quoted([n, *r]),
    "marked sep.csv": lambda n, r: "\ufeffSEP=|\n" + quoted([n, *r], "|"),
    "utf16.csv": lambda n, r: quoted([n, *r], "\t").encode("utf-16"),
    "packed.csv.gz": lambda n, r: quoted([n, *r]),
    "packed.csv.zst": lambda n, r: quoted([n, *r], ";", csv.QUOTE_ALL, "\n"),
    "packed.tsv.zst": lambda n, r: quoted([n, *r], "\t", end="\n"),
    "packed.jsonl.zst": lambda n, r: jsonl(objects(n, r)),
    "packed.json.gz": lambda n, r: json.dumps(objects(n, r)),
    "extra.csv": lambda n, r: quoted([[*n, "", ""], *([*row, "", ""] for row in r)]),
    "quoted.tsv": lambda n, r: quoted([n, *r], "\t"),
    "all.tsv": lambda n, r: quoted([n, *r], "\t", quoting=csv.QUOTE_ALL),
    "rows.jsonl": lambda n, r: jsonl(objects(n, r)),
    "escaped.ndjson": lambda n, r: "\n".join(map(json.dumps, objects(n, r))),
    "mark.jsonl": lambda n, r: "\ufeff" + jsonl(objects(n, r)),
    "utf16.jsonl": lambda n, r: jsonl(objects(n, r)).encode("utf-16"),
    "list.json": lambda n, r: json.dumps(objects(n, r)),
    "pretty.json": lambda n, r: json.dumps(objects(n, r), indent=2, ensure_ascii=False),
    "data.json": lambda n, r: json.dumps({"data": objects(n, r)}),
    "lines.json": lambda n, r: jsonl(objects(n, r)),
    "joined.json": lambda n, r: "".join(json.dumps(o, indent=1) for o in objects(n, r)),
    "utf16.json": lambda n, r: json.dumps(objects(n, r), ensure_ascii=False).encode("utf-16"),
    "list.jsonl": lambda n, r: json.dumps(objects(n, r), indent=2),
    "line.jsonl": lambda n, r: json.dumps(objects(n, r)),
    "rows.parquet": lambda n, r: parquet(objects(n, r), row_group_size=3),
    "packed.parquet.gz": lambda n, r: parquet(objects(n, r), row_group_size=3),
    "packed.parquet.zst": lambda n, r: parquet(objects(n, r), row_group_size=3),
}


def labelled(path, *columns):
    found = read_labelled(path, *columns)
    return [(row.text, row.label) for row in found.rows] + [row.reason for row in found.rejected]


def column(path):
    return list(read_column(path))


def or_reason(item, value):
    return item.reason if isinstance(item, Rejection) else value(item)


def pairs(path, columns=None):
    return [or_reason(pair, tuple) for pair in read_pairs([path], columns)]


def conversations(path):
    found = read_conversations(path)
    return [or_reason(row, lambda c: tuple(m["content"] for m in c.messages)) for row in found]


def preferences(path):
    return [(p.prompt[0]["content"], p.chosen, p.rejected) for p in read_preferences(path)]


def documents(path):
    found = list(read_file(path))
    assert all(isinstance(item, Document) for item in found), found
    return [(item.text, item.metadata["label"]) for item in found]


def finetuned(task, path):
    rows = answers.read_rows(task, [path], "{text}")
    found = [tuple(m["content"] for m in row.messages) for row in rows.samples]
    return found + [row.reason for row in rows.rejected]


def evaluation(path):
    return [(row["text"], row["label"]) for row in evaluation_rows(path)]


def against(path):
    return read_items([path], OverlapConfig(words=2)).counts[0, 0]


LABELLED = [(text, "ab"[i % 2]) for i, text in enumerate(TEXTS)]
ANSWERED = [(text, f"answer {i}, of some") for i, text in enumerate(TEXTS)]
PAIRED = [(text.strip(), answer) for text, answer in ANSWERED]
DOORS = {
    "labelled": (labelled, ["text", "label"], LABELLED, LABELLED),
    "column": (column, ["text", "label"], LABELLED, TEXTS),
    "texts": (lambda path: list(texts_of(path, "Q1: why?")), ["Q1: why?", "label"], LABELLED,
              TEXTS),
    # No control character gets into a corpus.
    "documents": (documents, ["text", "label"], LABELLED,
                  [(without_controls(text)[0], label) for text, label in LABELLED]),
    "evaluation": (evaluation, ["text", "label"], LABELLED, LABELLED),
    "against": (against, ["text", "label"], LABELLED, len(set(TEXTS)) + 2),
    "pairs": (pairs, ["target", "source"], [(a, t) for t, a in ANSWERED], PAIRED),
    "conversations": (conversations, ["instruction", "output"], ANSWERED, ANSWERED),
    "preferences": (preferences, ["prompt", "chosen", "rejected"],
                    [(*row, "no") for row in ANSWERED], [(*row, "no") for row in ANSWERED]),
    "translate": (partial(finetuned, "translate"), ["src", "tgt"], ANSWERED, PAIRED),
    "summarize": (partial(finetuned, "summarize"), ["article", "summary"], ANSWERED, PAIRED),
    "instruct": (partial(finetuned, "instruct"), ["prompt", "response"], ANSWERED, ANSWERED),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("form", FORMS)
def test_a_table_is_the_same_in_every_form_at_every_door(tmp_path, form, door):
    read, names, rows, right = DOORS[door]
    assert read(write(tmp_path, form, FORMS[form](names, rows))) == right


# Numbers, truth values and cells that hold nothing: delimited text has no types, the others have.
TYPED = [
    *(("one", 1, 0.5, True), ("two", 0, 1.0, False), (None, 1, 2.5, True), ("", 0, 1.5, False)),
    *(("None", None, None, None), ("five", 10, 3.0, True), ("five", 10, 3.0, True)),
]
TYPED_NAMES = ["words", "whole", "part", "truth"]
PARTS = ["0.5", "1.0", "2.5", "1.5", "", "3.0", "3.0"]
UNUSED = ["no text", "no text", "no label"]
TYPED_DOORS = {
    "text and whole numbers": (
        lambda path: labelled(path, "words", "whole"),
        [("one", "1"), ("two", "0"), ("five", "10"), ("five", "10"), *UNUSED],
    ),
    "text and numbers": (
        lambda path: labelled(path, "words", "part"),
        [("one", "0.5"), ("two", "1"), ("five", "3"), ("five", "3"), *UNUSED],
    ),
    "text and truth": (
        lambda path: labelled(path, "words", "truth"),
        [("one", "true"), ("two", "false"), ("five", "true"), ("five", "true"), *UNUSED],
    ),
    "numbers as texts": (lambda path: list(texts_of(path, "part")), PARTS),
    "against": (against, 4),  # different texts; numbers are none
    "prompts": (
        lambda path: [render("{{ words }}.", row) for row in evaluation_rows(path)],
        ["one.", "two.", ".", ".", "None.", "five.", "five."],
    ),
    "texts": (lambda path: list(texts_of(path, "words")),
              ["one", "two", "", "", "None", "five", "five"]),
    "pairs": (
        lambda path: pairs(path, ("words", "part")),
        [("one", "0.5"), ("two", "1.0"), "empty side", "empty side", "empty side",
         ("five", "3.0"), ("five", "3.0")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("door", TYPED_DOORS)
@pytest.mark.parametrize("form", ["comma.csv", "all.csv", "quoted.tsv", "rows.jsonl", "list.json",
                                  "rows.parquet"])  # fmt: skip
def test_a_number_is_its_digits_and_nothing_is_empty_in_every_form(tmp_path, form, door):
    read, right = TYPED_DOORS[door]
    assert read(write(tmp_path, form, FORMS[form](TYPED_NAMES, TYPED))) == right


ANSWER = [{"role": "user", "content": "u"}, {"role": "assistant", "content": 'a, "b"'}]
SPOKEN = {
    "messages": (["messages", "prompt", "completion"], [[ANSWER, None, None], [None, "u", 2]]),
    "prompt": (["prompt", "response"], [[ANSWER[:1], ANSWER[1:]], [ANSWER[:1], ANSWER[1:]]]),
    "history": (["instruction", "history", "output"],
                [["u", [["p", "q"]], 'a, "b"'], ["u", None, ""]]),
}  # fmt: skip
SAID = {
    "messages": [("u", 'a, "b"'), ("u", "2")],
    "prompt": [("u", 'a, "b"')] * 2,
    "history": [("p", "q", "u", 'a, "b"'), "empty answer"],
}


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize("form", ["all.csv", "quoted.tsv", "rows.jsonl", "rows.parquet"])
def test_lists_stand_in_delimited_text_as_json(tmp_path, form, name):
    names, rows = SPOKEN[name]
    if form.endswith("sv"):
        rows = [[json.dumps(v) if isinstance(v, list) else v for v in row] for row in rows]
    path = write(tmp_path, form, FORMS[form](names, rows))
    assert conversations(path) == SAID[name] == finetuned("instruct", path)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz"])
def test_a_list_of_texts_is_a_table_of_texts(tmp_path, name):
    path = write(tmp_path, name, json.dumps(TEXTS))
    assert list(texts_of(path, None)) == TEXTS
    assert [item.text for item in read_file(path)] == [without_controls(t)[0] for t in TEXTS]


def test_a_quoted_cell_with_a_line_break_is_one_pair(tmp_path):
    path = write(tmp_path, "a.csv", '"Hello\nworld","Hallo\nWelt"\n')
    assert pairs(path) == finetuned("translate", path) == [("Hello\nworld", "Hallo\nWelt")]
    assert pairs(write(tmp_path, "b.tsv", '"Hello\nworld"\t"Hallo\nWelt"\n')) == pairs(path)
    with pytest.raises(UsageError, match="is a table"):
        list(read_pairs([path, path]))


def test_any_column_of_the_header_can_be_asked_for(tmp_path):
    text = "v1,v2,,Q1: why?\n" + "".join(f"{'ab'[i % 2]},long text {i},,no{i}\n" for i in range(9))
    path = write(tmp_path, "a.csv", text)
    assert read_labelled(path, "v2", "v1").rows[8].text == "long text 8"
    assert read_labelled(path, "q1: why?", "v1").rows[0].text == "no0"
    assert next(read_file(path, "v2")).text == "long text 0"
    with pytest.raises(UsageError, match="holds no row with a text in 'column 3'"):
        read_labelled(path, "column 3", "v1")


def test_parquet_holds_conversations(tmp_path):
    rows = [[{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]] * 2
    path = write(tmp_path, "c.parquet", parquet(objects(["messages"], [[row] for row in rows])))
    assert conversations(path) == [("u", "a")] * 2
    cell = json.dumps(rows[0])
    assert conversations(write(tmp_path, "c.csv", quoted([["messages"], [cell]]))) == [("u", "a")]
