"""Texts with labels: every format gives the same rows, and every mistake has its own sentence."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import UsageError
from hornbook.datasets.labelled import (
    LabelledText,
    classes_of,
    folds,
    read_labelled,
    split,
    without_copies,
)
from hornbook.read.documents import content_hash
from tests.tables import jsonl, write

ROWS = [("Win a prize, now!", "spam"), ("See you at 8", "ham"), ("你好，明天见", "ham")]


def objects(text="text", label="label"):
    return [{text: t, label: c} for t, c in ROWS]


FILES = {
    "header.csv": 'label,text\nspam,"Win a prize, now!"\nham,See you at 8\nham,"你好，明天见"\n',
    "semicolons.csv": "text;class\nWin a prize, now!;spam\nSee you at 8;ham\n你好，明天见;ham\n",
    "header.tsv": "Sentence\tSentiment\n" + "".join(f"{t}\t{c}\n" for t, c in ROWS),
    "without.tsv": "".join(f"{c}\t{t}\n" for t, c in ROWS),
    "other.tsv": "".join(f"{t}\t{c}\n" for t, c in ROWS),
    "without.csv": 'spam,"Win a prize, now!"\nham,See you at 8\nham,"你好，明天见"\n',
    "rows.jsonl": jsonl(objects()),
    "rows.ndjson": jsonl(objects("review", "target")),
    "packed.jsonl.gz": jsonl(objects("message", "category")),
    "list.json": json.dumps(objects("content", "y")),
    "lines.json": jsonl(objects()),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_rows(tmp_path, name):
    data = read_labelled(write(tmp_path, name, FILES[name]))
    assert [(row.text, row.label) for row in data.rows] == ROWS
    assert not data.rejected
    assert data.classes == ["ham", "spam"]


def test_parquet(tmp_path):
    path = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({"id": [7, 8, 9, 10], "text": ["a", "b", "c", "d"], "label": [1, 0, 1, None]}),
        path,
    )
    data = read_labelled(path)
    assert data.rows == [("7", "a", "1"), ("8", "b", "0"), ("9", "c", "1")]
    assert [(r.line, r.reason) for r in data.rejected] == [(4, "no label")]


def test_what_was_found_is_said(tmp_path):
    without = read_labelled(write(tmp_path, "a.tsv", FILES["without.tsv"]))
    assert (without.text_column, without.label_column) == ("column 2", "column 1")
    named = read_labelled(write(tmp_path, "b.tsv", FILES["header.tsv"]))
    assert (named.text_column, named.label_column) == ("Sentence", "Sentiment")


def test_a_first_row_that_only_looks_like_names_is_a_row(tmp_path):
    data = read_labelled(write(tmp_path, "a.tsv", "ham\tOk lar\nspam\tCall\nham\tSee you\n"))
    assert len(data.rows) == 3


def test_names_that_are_not_usual_make_a_header_when_no_label_repeats_them(tmp_path):
    data = read_labelled(write(tmp_path, "a.csv", "v1,v2\nham,Ok lar\nspam,Call\nham,See you\n"))
    assert (data.text_column, data.label_column, len(data.rows)) == ("v2", "v1", 3)


def test_columns_can_be_named_and_joined(tmp_path):
    rows = [{"title": f"T{i}", "text": f"long {i}", "A": i % 2, "label": "x"} for i in range(4)]
    path = write(tmp_path, "a.jsonl", jsonl(rows))
    data = read_labelled(path, text_column="title+text", label_column="a")
    assert data.rows[1] == LabelledText("2", "T1\nlong 1", "1")
    assert (data.text_column, data.label_column) == ("title+text", "A")


def test_labels_become_text(tmp_path):
    labels = [1, 1.0, 0.5, True, " pos ", float("inf"), "", None, ["a"]]
    rows = [{"text": f"t{i}", "label": label} for i, label in enumerate(labels)]
    data = read_labelled(write(tmp_path, "a.jsonl", jsonl(rows)))
    assert [row.label for row in data.rows] == ["1", "1", "0.5", "true", "pos"]
    reasons = [(r.line, r.reason) for r in sorted(data.rejected, key=lambda r: r.line)]
    # JSON has no infinity: the row says what to write instead.
    assert reasons == [(6, "not JSON"), (7, "no label"), (8, "no label"), (9, "no label")]
    assert classes_of(["10", "2", "b", "a", "2"]) == ["2", "10", "a", "b"]


def test_broken_rows_cost_themselves(tmp_path):
    lines = jsonl(objects()) + '{"text": "cut\n[1]\n' + jsonl([{"text": " ", "label": "ham"}])
    data = read_labelled(write(tmp_path, "a.jsonl", lines))
    assert len(data.rows) == 3
    found = [(r.line, r.reason) for r in data.rejected]
    assert found == [(4, "not JSON"), (5, "no row"), (6, "no text")]


def test_ids_are_the_rows_own_if_they_differ(tmp_path):
    rows = [{"id": i, "text": f"t{i}", "label": str(i % 2)} for i in (5, 6, 7)]
    own = read_labelled(write(tmp_path, "a.jsonl", jsonl(rows)))
    assert [row.id for row in own.rows] == ["5", "6", "7"]
    rows[2]["id"] = 5
    rows.insert(1, {"id": 1, "text": "", "label": "0"})
    numbered = read_labelled(write(tmp_path, "b.jsonl", jsonl(rows)))
    assert [row.id for row in numbered.rows] == ["1", "3", "4"]


MISTAKES = {
    "suffix": ("a.docx", "x", {}, "no table"),
    "empty": ("a.jsonl", "", {}, "holds no rows"),
    "mixed": ("a.jsonl", FILES["without.csv"], {}, "holds no rows. 3 could not be used; the first"),
    "text": ("a.jsonl", FILES["rows.jsonl"], {"text_column": "txt"}, "Did you mean 'text'"),
    "label": ("a.jsonl", FILES["rows.jsonl"], {"label_column": "kind"}, "label"),
    "part": ("a.jsonl", FILES["rows.jsonl"], {"text_column": "title+text"}, "'title'"),
    "no label": ("a.jsonl", jsonl([{"text": "a", "b": 1, "c": 2}]), {}, "for the label"),
    "no text": ("a.jsonl", jsonl([{"label": "a", "b": 1, "c": 2}]), {}, "for the text"),
    "one class": ("a.tsv", "text\tlabel\na\tx\nb\tx\n", {}, "one class only"),
    "unique": ("a.tsv", "text\tlabel\na\tx\nb\ty\nc\tz\n", {}, "as many classes as rows"),
    "unlabelled": ("a.tsv", "text\tlabel\na\t\nb\t\n", {}, "no row with a text"),
    "undecided": ("a.tsv", "a.\tx.\nb.\ty.\n", {}, "which of its columns"),
    "unseen": ("a.jsonl", FILES["rows.jsonl"], {"classes": ["ham", "spams"]}, "Did you mean 'spa"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(tmp_path, name):
    file, content, options, sentence = MISTAKES[name]
    with pytest.raises(UsageError) as raised:
        read_labelled(write(tmp_path, file, content), **options)
    assert sentence in str(raised.value)
    assert file in str(raised.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        read_labelled(tmp_path / "no.csv")


def test_a_small_file_can_be_measured_on(tmp_path):
    path = write(tmp_path, "a.tsv", "text\tlabel\na\tx\nb\tx\n")
    assert len(read_labelled(path, classes=["x", "y"]).rows) == 2


def test_a_packed_file_that_breaks_keeps_what_came_before(tmp_path):
    whole = gzip.compress(jsonl(objects() * 2000).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    data = read_labelled(tmp_path / "a.jsonl.gz")
    assert 0 < len(data.rows) < 6000
    assert "broken gzip" in {r.reason for r in data.rejected}


def texts(numbers):
    return [LabelledText(str(i), f"t {n}", "ab"[n % 3 == 0]) for i, n in enumerate(numbers)]


def test_copies_are_dropped_whatever_their_white_space():
    rows = [
        LabelledText("1", "a  b", "x"),
        LabelledText("2", "c", "x"),
        LabelledText("3", "a b\n", "y"),
    ]
    kept, dropped = without_copies(rows)
    assert kept == rows[:2]
    assert dropped == 1


@given(st.lists(st.integers(0, 60), min_size=12, max_size=150), st.integers(0, 3))
def test_folds_and_splits_keep_contents_together_and_ignore_the_order(numbers, seed):
    rows = texts(numbers)
    if len(set(numbers)) < 4:
        return
    fold = folds(rows, 3, seed)
    by_text = {}
    for row, number in zip(rows, fold, strict=True):
        assert by_text.setdefault(content_hash(row.text), number) == number
    backwards = folds(rows[::-1], 3, seed)
    assert backwards[::-1] == fold
    train, held = split(rows, 0.25, seed)
    assert sorted(train + held) == sorted(rows)
    assert not {row.text for row in train} & {row.text for row in held}


def test_folds_and_splits_are_stratified():
    rows = texts(range(300))
    for fold in range(5):
        tested = [row for row, f in zip(rows, folds(rows, 5), strict=True) if f == fold]
        assert (len(tested), sum(row.label == "b" for row in tested)) == (60, 20)
    assert folds(rows, 5, seed=1) != folds(rows, 5)
    train, held = split(rows, 0.2)
    assert (len(held), sum(row.label == "b" for row in held)) == (60, 20)
    assert train == [row for row in rows if row not in set(held)]


def test_too_few_contents_are_refused():
    with pytest.raises(UsageError, match="2 different texts cannot make 3 folds"):
        folds(texts([1, 2, 2, 1]), 3)
    with pytest.raises(UsageError, match="Nothing can be held out"):
        split(texts([0, 1]), 0.5)
