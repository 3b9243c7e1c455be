"""Words and vectors as one ranking."""

import pytest

from hornbook.retrieve.search import fused
from hornbook.retrieve.words import Ranked


def order(words, vectors, more, weight):
    ranked = ([Ranked(*one) for one in side.items()] for side in (words, vectors))
    return [(one.passage, round(one.score, 6)) for one in fused(*ranked, more, weight)]


def test_each_counts_as_a_share_of_its_best():
    words, vectors, more = {1: 8.0, 2: 4.0}, {2: 0.5, 3: 0.4}, {1: 0.1, 2: 0.5}
    assert order(words, vectors, more, 0.0) == [(1, 1.0), (2, 0.5), (3, 0.0)]
    assert order(words, vectors, more, 1.0) == [(2, 1.0), (3, 0.75), (1, 0.0)]
    assert order(words, vectors, more, 0.5) == [(2, 0.75), (1, 0.5), (3, 0.375)]


def test_a_passage_without_a_vector_is_judged_by_its_words():
    found = fused([Ranked(1, 8.0), Ranked(2, 4.0)], [Ranked(1, 0.5)], {3: 0.1}, 0.7)
    assert [one.passage for one in found] == [1, 2, 3]
    assert found[1].score == pytest.approx(0.5) and found[1].vector is None


def test_a_single_vector_says_nothing():
    """The nearest of one is the farthest as well: whoever has the only vector loses nothing."""
    words = {1: 8.0, 2: 7.0}
    assert (
        order(words, {1: 0.9}, {}, 0.5) == order(words, {2: 0.9}, {}, 0.5) == [(1, 1), (2, 0.875)]
    )


def test_nothing_is_found_in_nothing():
    assert fused([], [], {}, 0.5) == []
    assert order({}, {5: 0.1}, {}, 0.5) == [(5, 0.0)]
