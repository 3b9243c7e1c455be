"""Files of rows that are broken or hostile: what is wrong is named, and costs itself."""

import contextlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError, UsageError
from hornbook.datasets.columns import read_column
from hornbook.datasets.instructions import read_conversations, read_preferences
from hornbook.datasets.labelled import read_labelled
from hornbook.datasets.pairs import read_pairs
from hornbook.datasets.tables import read_rows, read_texts
from hornbook.evaluate.rows import read_rows as evaluation_rows
from hornbook.read.documents import Rejection
from hornbook.read.formats.table import Row
from hornbook.read.sources import read_file
from tests.tables import objects, parquet, write

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
    found = list(read_rows(write(tmp_path, "a.jsonl", f"{line}\n{good}\n")))
    assert [(r.line, r.reason) for r in found if isinstance(r, Rejection)] == rejected
    assert [r.cells for r in found if isinstance(r, Row)] == [{"text": "line\u2028of one"}]


def test_a_broken_list_names_the_line(tmp_path):
    (found,) = read_rows(write(tmp_path, "a.json", '[\n{"a": 1},\n{"a": 2},\n]'))
    assert (found.line, found.reason) == (4, "not JSON")
    path = write(tmp_path, "b.json", '{"a":\n1}\n{"a": 2}\n{"a"')
    *rows, last = read_rows(path)
    assert [row.cells for row in rows] == [{"a": 1}, {"a": 2}] and last.reason == "not JSON"


def test_parquet_with_two_columns_of_one_name(tmp_path):
    columns = [pa.array(["a"]), pa.array(["b"]), pa.array(["c"])]
    path = tmp_path / "dup.parquet"
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "n", "text"]), path)
    (found,) = read_file(path)
    assert (found.line, found.reason) == (None, "two columns of one name")
    assert "columns 1 and 3" in found.detail
    for door in (read_labelled, lambda path: list(read_column(path))):
        with pytest.raises(UsageError, match="holds no rows"):
            door(path)


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
    ".parquet": parquet(
        objects(["text", "label", "turns"], [("a", "x", ["q"]), ("b", "y", ["r"])])
    ),
}
SCRAPS = [
    *(b'"', b",", b"\n", b"\r", b"\\", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"{", b"]"),
    *(b"null", b"1e999", b"9" * 5000, b"\\ud800", b"sep=;\n", b"#", b"[" * 200, b"NaN"),
]


@pytest.mark.parametrize("suffix", SEEDS)
@settings(max_examples=3)
@given(data=st.data())
def test_no_bytes_make_a_traceback_at_any_door(tmp_path_factory, suffix, data):
    found = bytearray(SEEDS[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(found)))
        cut = data.draw(st.integers(0, 6))
        found[place : place + cut] = data.draw(st.sampled_from(SCRAPS) | st.binary(max_size=2))
    path = tmp_path_factory.getbasetemp() / f"mutant{suffix}"
    path.write_bytes(found)
    for door in (read_rows, read_column, read_conversations, read_preferences):
        with contextlib.suppress(HornbookError):
            list(door(path))
    for door in (read_labelled, lambda path: list(read_pairs([path])), evaluation_rows):
        with contextlib.suppress(HornbookError):
            door(path)
