"""A line ends at a line end and nowhere else."""

from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.lines import first_line, lines_of


@given(st.lists(st.text(st.characters(exclude_characters="\r\n"))), st.sampled_from(["\n", "\r\n"]))
def test_lines_come_back(lines, end):
    assert lines_of("".join(line + end for line in lines)) == lines


def test_the_last_line_needs_no_end():
    assert lines_of("a\u2028b\x85c\x0c\x1cd\n\ne") == ["a\u2028b\x85c\x0c\x1cd", "", "e"]
    assert lines_of("") == []


def test_the_first_line():
    assert first_line("\n\n  one\r\ntwo") == "one"
    assert first_line(" \n") == ""
