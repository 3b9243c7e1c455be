"""Sections, support, and the sentences that stand for a text."""

from itertools import pairwise

import numpy as np
import pytest

from hornbook.retrieve.extract import choose
from hornbook.retrieve.sections import lead_of, sections
from hornbook.retrieve.support import Grounds, loops
from hornbook.retrieve.word_vectors import word_vectors

PAGE = """INTRODUCTION
The first paragraph begins here. It has two sentences.

Methods and Materials

We measured 12 rivers. Each was cold.

## Results
All rivers were cold.
"""
TALK = """Amanda: I baked cookies

Jerry: Sure

Amanda: I will bring some

Jerry: Great"""


def test_headings_are_no_sentences():
    found = sections(PAGE)
    assert [one.heading for one in found] == ["INTRODUCTION", "Methods and Materials", "Results"]
    texts = [[PAGE[s.start : s.end] for s in one.sentences] for one in found]
    assert texts[0] == ["The first paragraph begins here.", "It has two sentences."]
    assert texts[2] == ["All rivers were cold."]
    first, *_ = lead_of(PAGE, 3)
    assert PAGE[first.start : first.end] == "The first paragraph begins here."


def test_lines_in_a_row_are_no_headings():
    (found,) = sections(TALK)
    assert found.heading == "" and len(found.sentences) == 4


@pytest.mark.parametrize(
    "text", [PAGE, TALK, "one", "A heading\n\nAnother\n\nx.", "春眠。\n\n夜來。"]
)
def test_nothing_is_lost(text):
    found = sections(text)
    spans = [span for one in found for span in one.sentences]
    assert spans == sorted(spans) and all(a.end <= b.start for a, b in pairwise(spans))
    kept = " ".join([one.heading for one in found] + [text[s.start : s.end] for s in spans])
    missing = set(text.replace("#", "").split()) - set(kept.split())
    assert not missing


def test_a_long_text_without_headings_has_parts():
    text = " ".join(f"The river number {i} is cold in winter." for i in range(800))
    found = sections(text)
    assert len(found) > 2 and sum(len(one.sentences) for one in found) == 800


def test_support_is_words_numbers_and_names():
    sources = Grounds(
        ["The tablet weighs 2 pounds.", "It was found in Bath.", "A bird sang."], "en"
    )
    assert sources.support("The tablet weighs 2 pounds.") == (0, 1.0, True)
    assert sources.support("The tablet was found in Bath.").holds
    assert not sources.support("The tablet weighs 3 pounds.").holds
    assert not sources.support("In 1900 the tablet was found in Rome.").holds
    assert sources.support("Nothing of it.") == (None, 0.0, False)
    assert not Grounds([], "en").support("x").holds


def test_loops():
    assert loops("The cat sat on the mat. " * 6, "en") and loops("春眠不覺曉。" * 6, "zh")
    assert not loops(PAGE, "en") and not loops("", "en")


def test_the_chosen_are_central_and_unlike():
    texts = [
        "Cold rivers freeze in winter.", "Cold rivers freeze in winter.", "A poem about love.",
        "In winter the cold rivers carry ice.", "Ice on rivers is cold.",
    ]  # fmt: skip
    vectors = word_vectors(texts, "en")
    first, second = choose(vectors, 2)
    assert first < second and not {first, second} <= {0, 1} and 2 not in (first, second)
    assert 0 not in choose(vectors, 9, [0, 1, 1, 1, 1])
    assert choose(vectors, 9) == [0, 1, 2, 3, 4]
    assert choose(np.zeros((0, 4)), 3) == [] and choose(np.zeros((2, 4)), 1) == [0]
