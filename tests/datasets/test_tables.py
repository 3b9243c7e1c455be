"""The same table means the same in every format and quoting at every door; what is odd is named."""

import contextlib
import csv
import gzip
import io
import json
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError, UsageError
from hornbook.corpus.decontaminate import OverlapConfig, read_items
from hornbook.datasets.columns import read_column, texts_of
from hornbook.datasets.instructions import read_conversations, read_preferences
from hornbook.datasets.labelled import read_labelled
from hornbook.datasets.pairs import read_pairs
from hornbook.datasets.tables import read_rows as rows_of
from hornbook.datasets.tables import read_texts
from hornbook.evaluate.rows import read_rows as evaluation_rows
from hornbook.evaluate.templates import render
from hornbook.read.documents import Document, Rejection
from hornbook.read.formats import lines as lines_module
from hornbook.read.formats.decode import without_controls
from hornbook.read.formats.delimited import Dialect, Lines, lines_of, records
from hornbook.read.formats.header import Naming
from hornbook.read.formats.lines import read_lines
from hornbook.read.formats.table import Row, table_rows
from hornbook.read.sources import read_file
from hornbook.workflows.projects.answers import data as answers

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


def quoted(rows, delimiter=",", quoting=csv.QUOTE_MINIMAL, end="\r\n", **options):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end, **options)
    writer.writerows(rows)
    return out.getvalue()


def parquet(names, rows):
    out = io.BytesIO()
    columns = list(zip(*rows, strict=True))
    pq.write_table(pa.table([pa.array(c) for c in columns], names=names), out, row_group_size=3)
    return out.getvalue()


def objects(names, rows):
    return [dict(zip(names, row, strict=True)) for row in rows]


def jsonl(found):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)


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
    "rows.parquet": parquet,
    "packed.parquet.gz": parquet,
    "packed.parquet.zst": parquet,
}


PACK = {".gz": gzip.compress, ".zst": zstd.compress}


def write(folder, name, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path = folder / name
    path.write_bytes(PACK.get(path.suffix, bytes)(data))
    return path


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


def table(text, is_tsv=False, **naming):
    data = text if isinstance(text, bytes) else text.encode()
    found = list(table_rows(io.BytesIO(data), "f", is_tsv, Naming(**naming)))
    rows = [(r.number, *r.cells.values()) for r in found if isinstance(r, Row)]
    return rows, [(r.line, r.reason) for r in found if isinstance(r, Rejection)]


ODD = {
    "an unclosed quote costs its line": (
        'text,label\n"open,ham\nfine,spam\n"q, r",ham\nlast,spam\n',
        [(3, "fine", "spam"), (4, "q, r", "ham"), (5, "last", "spam")],
        [(2, "broken row")],
    ),
    "also in the last column": (
        'label,text\nham,"open\nspam,hi\nham,bye\n',
        [(3, "spam", "hi"), (4, "ham", "bye")],
        [(2, "broken row")],
    ),
    "also where a later quote would close it": (
        'text,label\n"open\n' + "a,b\n" * 12 + 'z,q"\nend,x\n',
        [*((i, "a", "b") for i in range(3, 15)), (15, "z", 'q"'), (16, "end", "x")],
        [(2, "broken row")],
    ),
    "a last one too": ('text,label\na,b\n"c","d', [(2, "a", "b")], [(3, "broken row")]),
    "quotes that quote nothing stay": (
        'text,label\n"Never" again,a\n5" tv,b\n"32" TV",c\n',
        [(2, '"Never" again', "a"), (3, '5" tv', "b"), (4, '"32" TV"', "c")],
        [],
    ),
    "backslashes before quotes": (
        'text,label\n"He said \\"hi\\", then",ham\nplain,spam\n',
        [(2, 'He said "hi", then', "ham"), (3, "plain", "spam")],
        [],
    ),
    "backslashes that are none": (
        'text,label\n"C:\\dir\\",ham\n"x ""y""\\n",spam\n',
        [(2, "C:\\dir\\", "ham"), (3, 'x "y"\\n', "spam")],
        [],
    ),
    "ragged rows": (
        "text,label\na,ham\nb,ham,extra\nc\nd,spam\n",
        [(2, "a", "ham"), (5, "d", "spam")],
        [(3, "broken row"), (4, "broken row")],
    ),
    "delimiters at the end": (
        "text,label\na,ham,\nb,spam,,\n", [(2, "a", "ham"), (3, "b", "spam")], [],
    ),
    "rows that end before columns without a name": (
        "text,label,,\na,ham\nb,spam,,\n", [(2, "a", "ham", "", ""), (3, "b", "spam", "", "")], [],
    ),
    "returns alone": ('text,label\r"a\rb",x\rc,y\r', [(2, "a\nb", "x"), (4, "c", "y")], []),
    "decimal commas": ("x;y\n1,5;2,5\n3,5;4,5\n", [(2, "1,5", "2,5"), (3, "3,5", "4,5")], []),
    "decimal commas alone": ("1,5;2,5\n3,5;4,5\n", [(1, "1,5", "2,5"), (2, "3,5", "4,5")], []),
    "prose with commas": (
        "spam;Hi, you\nham;Ok, no\n", [(1, "spam", "Hi, you"), (2, "ham", "Ok, no")], [],
    ),
    "one column": ("text\nHello, world\nBye\n", [(2, "Hello, world"), (3, "Bye")], []),
    "comments above": (
        "# of 2024, by x\n# more\ntext,label\na,b\n# c,d\n",
        [(4, "a", "b"), (5, "# c", "d")],
        [(1, "comment"), (2, "comment")],
    ),
    "a title above": (
        "All of it\ntext,label\n" + "a,b\n" * 12,
        [(i, "a", "b") for i in range(3, 15)],
        [(1, "broken row")],
    ),
    "blanks around": (
        'text , label\n"a, b" , ham\n c , spam\n', [(2, "a, b", " ham"), (3, " c ", " spam")], [],
    ),
    "empty lines": ("\ntext,label\n\n   \na,b\n\n", [(5, "a", "b")], []),
    "quotes only": ('text,label\n"",a\n"""",b\n"""q""",c\n',
                    [(2, "", "a"), (3, '"', "b"), (4, '"q"', "c")], []),
    "bytes that are no text": (
        b'text,label\na,b\nbad \xff,x\n"in \xff\nq",y\nz,w\n',
        [(2, "a", "b"), (6, "z", "w")],
        [(3, "not UTF-8"), (4, "not UTF-8")],
    ),
    "a long cell": ("text,label\n" + "x" * 300_000 + ",b\n", [(2, "x" * 300_000, "b")], []),
    "a name twice": ("text,text,label\na,b,c\n", [], [(None, "two columns of one name")]),
    "a header only": ("text,label\n", [], [(None, "no rows")]),
    "nothing": ("", [], []),
    "numbers below names that look like none": (
        "What?;Sure (1-5)!\nyes;3\nno;4\nyes;5\n",
        [(2, "yes", "3"), (3, "no", "4"), (4, "yes", "5")],
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_tables(name):
    text, rows, rejected = ODD[name]
    assert table(text) == (rows, rejected)


def test_tabs_take_quotes_for_what_they_are():
    literal = 'text\tlabel\n"Hi"\tham\n"Yo" he said\tspam\n'
    assert table(literal, is_tsv=True)[0] == [(2, '"Hi"', "ham"), (3, '"Yo" he said', "spam")]


def test_any_column_of_the_header_can_be_asked_for(tmp_path):
    text = "v1,v2,,Q1: why?\n" + "".join(f"{'ab'[i % 2]},long text {i},,no{i}\n" for i in range(9))
    path = write(tmp_path, "a.csv", text)
    assert read_labelled(path, "v2", "v1").rows[8].text == "long text 8"
    assert read_labelled(path, "q1: why?", "v1").rows[0].text == "no0"
    assert next(read_file(path, "v2")).text == "long text 0"
    with pytest.raises(UsageError, match="holds no row with a text in 'column 3'"):
        read_labelled(path, "column 3", "v1")


@given(
    st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0\r"))] * 2),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(",;\t|^"),
    st.sampled_from(["\n", "\r\n"]),
)
def test_whatever_stands_in_cells_comes_back(cells, mark, end):
    rows = [("text", "label"), *cells]
    text = "sep=" + mark + "\n" + quoted(rows, mark, csv.QUOTE_ALL, end)
    found, rejected = table(text, columns=("text", "label"))
    assert [row[1:] for row in found] == rows and not rejected


@given(st.text(st.sampled_from('a,;\t"\\\n\r# |'), max_size=60))
def test_every_line_is_a_row_or_named(text):
    data = text.encode()
    found = list(table_rows(io.BytesIO(data), "f", False, Naming(columns=("a", "b"))))
    assert sum(item.size or 0 for item in found) <= len(data)
    blank = sum(len(line) + 1 for line in text.split("\n") if not line.strip(" \r"))
    if not text.lstrip('"').startswith("sep=") and "\r" not in text:
        assert sum(item.size or 0 for item in found) >= len(data) - blank


JSON = {
    "deep": ("[" * 5000, [(1, "not JSON")]),
    "digits": ('{"text": "a", "n": ' + "9" * 10_000 + "}", [(1, "not JSON")]),
    "too large": ('{"text": "a", "n": -1e999}', [(1, "not JSON")]),
    "not a number": ('{"text": "a", "n": NaN}', [(1, "not JSON")]),
    "twice": ('{"text": "a", "text": "b"}', [(1, "not JSON")]),
    "comma": ('{"text": "a",}', [(1, "not JSON")]),
    "number": ("7", [(1, "no row")]),
    "list": ('["a"]', [(1, "no row")]),
    "half": ('{"text": "\\ud83d", "label": "x"}', [(1, "not Unicode")]),
    "half inside": ('{"a": [{"b": "\\udc00"}]}', [(1, "not Unicode")]),
    "half name": ('{"\\udc00": 1}', [(1, "not Unicode")]),
}


@pytest.mark.parametrize("name", JSON)
def test_a_broken_line_of_json_costs_itself(tmp_path, name):
    line, rejected = JSON[name]
    good = '{"text": "line\u2028of one"}'
    found = list(rows_of(write(tmp_path, "a.jsonl", f"{line}\n{good}\n")))
    assert [(r.line, r.reason) for r in found if isinstance(r, Rejection)] == rejected
    assert [r.cells for r in found if isinstance(r, Row)] == [{"text": "line\u2028of one"}]


def test_a_broken_list_names_the_line(tmp_path):
    (found,) = rows_of(write(tmp_path, "a.json", '[\n{"a": 1},\n{"a": 2},\n]'))
    assert (found.line, found.reason) == (4, "not JSON")
    path = write(tmp_path, "b.json", '{"a":\n1}\n{"a": 2}\n{"a"')
    *rows, last = rows_of(path)
    assert [row.cells for row in rows] == [{"a": 1}, {"a": 2}] and last.reason == "not JSON"


def test_parquet_with_two_columns_of_one_name(tmp_path):
    columns = [pa.array(["a"]), pa.array(["b"]), pa.array(["c"])]
    path = tmp_path / "dup.parquet"
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "n", "text"]), path)
    (found,) = read_file(path)
    assert (found.line, found.reason) == (None, "two columns of one name")
    assert "columns 1 and 3" in found.detail
    for door in (labelled, column):
        with pytest.raises(UsageError, match="holds no rows"):
            door(path)


def test_parquet_holds_conversations(tmp_path):
    rows = [[{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]] * 2
    path = tmp_path / "c.parquet"
    pq.write_table(pa.table({"messages": rows, "n": [1, 2]}), path)
    assert conversations(path) == [("u", "a")] * 2
    cell = json.dumps(rows[0])
    assert conversations(write(tmp_path, "c.csv", quoted([["messages"], [cell]]))) == [("u", "a")]


def test_lines_end_at_line_ends_only(tmp_path):
    text = "\ufeffone\u2028still\x85one\x0c\x1c\r\ntwo\n\nthree"
    found = [line.text for line in read_texts(write(tmp_path, "a.txt", text))]
    assert found == ["one\u2028still\x85one\x0c\x1c", "two", "", "three"]


SEEDS = {
    ".csv": b'text,label\n"a ""b"", c",x\n"d\ne",y\nf;g|h,x\n',
    ".tsv": b'text\tlabel\na\tx\n"b"\ty\n',
    ".jsonl": b'{"text": "a", "label": "x", "messages": [{"role": "user", "content": "q"}, '
    b'{"role": "assistant", "content": "a", "weight": 0}]}\n{"prompt": "p", "chosen": "c"}\n',
    ".json": b'[{"text": "a", "label": 1}, {"instruction": "i", "output": "o", "history": [[]]}]',
    ".parquet": parquet(["text", "label", "turns"], [("a", "x", ["q"]), ("b", "y", ["r"])]),
}
SCRAPS = [
    *(b'"', b",", b"\n", b"\r", b"\\", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"{", b"]"),
    *(b"null", b"1e999", b"9" * 5000, b"\\ud800", b"sep=;\n", b"#", b"[" * 200, b"NaN"),
]


@pytest.mark.parametrize("suffix", SEEDS)
@settings(max_examples=6)
@given(data=st.data())
def test_no_bytes_make_a_traceback_at_any_door(tmp_path_factory, suffix, data):
    found = bytearray(SEEDS[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(found)))
        cut = data.draw(st.integers(0, 6))
        found[place : place + cut] = data.draw(st.sampled_from(SCRAPS) | st.binary(max_size=2))
    path = tmp_path_factory.getbasetemp() / f"mutant{suffix}"
    path.write_bytes(found)
    for door in (rows_of, read_column, read_conversations, read_preferences):
        with contextlib.suppress(HornbookError):
            list(door(path))
    for door in (read_labelled, lambda path: list(read_pairs([path])), evaluation_rows):
        with contextlib.suppress(HornbookError):
            door(path)


@given(st.text(st.sampled_from('a ,"\\\n'), max_size=25), st.sampled_from([False, True]))
def test_lines_on_which_nothing_is_odd_are_cut_as_the_others_are(text, escapes):
    """Each row is read by the short way where there is one; put back, by the long way alone."""
    dialect = Dialect(",", True, escapes)
    found = list(records(lines_of(io.BytesIO(text.encode())), dialect, "f"))
    every = list(iter(lines_of(io.BytesIO(text.encode())).take, None))
    slow = list(records(Lines(every), dialect, "f"))
    assert [_what(item) for item in found] == [_what(item) for item in slow]


def _what(item):
    return item if isinstance(item, Rejection) else item[:3]


@pytest.mark.parametrize("size", [1, 7, 39])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_blocks_hold_every_line_with_its_number_and_size(monkeypatch, size, end):
    monkeypatch.setattr(lines_module, "_BLOCK", size)
    monkeypatch.setattr(lines_module, "LONGEST_LINE", 40)
    texts = ["a", "", "é" * 10, "x" * 39, "y" * 40 + end[:1], "z,\r,z", '"q', "é\xff", "last"]
    data = (
        "\n".join(texts[:-1]).encode("latin-1" if size == 7 else "utf-8")
        + b"\n"
        + texts[-1].encode()
    )
    data = data.replace(b"\n", end.encode() or b"\n")
    lines = list(read_lines(io.BytesIO(data)))
    raw = data.splitlines(keepends=True) if b"\r" not in data else io.BytesIO(data).readlines()
    assert [(line.number, line.size) for line in lines] == list(enumerate(map(len, raw), 1))
    assert [bool(line.fault) for line in lines] == [len(one) > 40 for one in raw]
    found = list(iter(lines_of(io.BytesIO(data)).take, None))
    assert [(text.number, text.size) for text in found] == [(n.number, n.size) for n in lines]
