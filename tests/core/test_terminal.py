"""What others wrote does not steer the terminal, and what is harmless stays as it is."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.progress import Progress
from hornbook.core.terminal import visible

STEERING = {"Cc", "Cs", "Zl", "Zp"}
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(st.text(st.characters(codec=None)))
def test_nothing_that_steers_is_left_and_all_else_stays(text):
    shown = visible(text)
    assert not [c for c in shown if unicodedata.category(c) in STEERING or c in DIRECTIONS]
    harmless = [c for c in text if unicodedata.category(c) not in STEERING and c not in DIRECTIONS]
    assert len(shown) == len(harmless) + 6 * (len(text) - len(harmless))


def test_a_printed_object_stays_the_same_object():
    names = {"a\x1b]0;owned\x07b": "\x9b31m\u202etxt.exe\u2028"}
    assert json.loads(visible(json.dumps(names, ensure_ascii=False), keep="\n\t")) == names


def test_scripts_that_need_joiners_keep_them():
    for text in ("क्‍ष", "می‌خواهم", "👩‍👩‍👧", "中文，繁體", "à\u0301"):
        assert visible(text) == text


def test_a_name_with_a_line_break_makes_no_second_line(capsys):
    Progress().say("reading bad\nerror: all is well\x1b[2J", "second")
    assert capsys.readouterr().err == "reading bad\\u000aerror: all is well\\u001b[2J\nsecond\n"
