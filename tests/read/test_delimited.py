"""Delimited text: what its rows are, whatever stands in their cells; what is odd is named."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.read.documents import Rejection
from hornbook.read.formats import lines as lines_module
from hornbook.read.formats.delimited import Dialect, Lines, lines_of, records
from hornbook.read.formats.header import Naming
from hornbook.read.formats.lines import read_lines
from hornbook.read.formats.table import Row, table_rows
from tests.tables import quoted


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
