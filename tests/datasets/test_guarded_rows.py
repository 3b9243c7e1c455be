"""Rows come out of a guarded process as they are stored; one that ends it costs itself."""

import datetime
import math
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hornbook.core.guarded import step
from hornbook.datasets import tables


def rows_of_one_that_dies(place):
    """As a library does of a hostile file: the process is gone in the second row."""
    for number in (1, 2, 3):
        if fault := step(10):
            yield [place, number, *fault, 10], ""
            continue
        if number == 2:
            os.abort()
        yield [number, {"text": "a"}, 10], "", 10


@pytest.mark.parametrize("twice", [False, True])
def test_many_columns_cost_no_more_each(twice, tmp_path):
    """Each name is compared with all others at once; by pairs, the reader would run out of time."""
    names = ["text"] + [f"n{i}" for i in range(50_000)] + ["n49999"] * twice
    cells = dict.fromkeys(names, "x")
    csv, line = tmp_path / "a.csv", tmp_path / "a.jsonl"
    csv.write_text(f"{','.join(names)}\n{','.join('x' for _ in names)}\n")
    line.write_text("{" + ", ".join(f'"{name}": "x"' for name in names) + "}\n")
    for path, reason in ((csv, "two columns of one name"), (line, "not JSON")):
        (found,) = tables.read_rows(path)
        assert found.reason == reason if twice else found.cells == cells


def dies_at_once(place):
    os.abort()
    yield


def test_a_row_that_ends_its_reader_costs_itself(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"x")
    first, second, third = tables._items(rows_of_one_that_dies, path)
    assert (first, third) == ((1, {"text": "a"}, 10), (3, {"text": "a"}, 10))
    assert second.line == 2 and second.reason == "the reader crashed"
    (found,) = tables._items(dies_at_once, path)
    assert (found.line, found.reason) == (None, "the reader crashed")


def test_values_come_as_they_are_stored(tmp_path):
    day = datetime.date(2020, 1, 2)
    row = {
        "whole": 2**62,
        "large": -(2**63),
        "half": 0.1,
        "none": None,
        "yes": True,
        "no_number": math.inf,
    }
    row |= {"no_number": math.inf, "text": "e\u0301\u2028\x85\0", "empty": ""}
    row |= {"day": day, "days": [day, None], "a": [{"b": 1.5}]}
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([row, row]), path)
    _, found = tables.read_rows(path)
    wanted = row | {"day": "2020-01-02", "days": ["2020-01-02", None]}
    del wanted["none"]  # a column without values is none
    assert found.cells == wanted
    assert [type(v) for v in found.cells.values()] == [type(v) for v in wanted.values()]
