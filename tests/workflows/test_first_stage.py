"""What a cross-encoder is made and measured on: what a search finds, and how much it may count."""

import numpy as np
import pytest

from hornbook.retrieve.text_ranking import TextRanking
from hornbook.workflows.projects.questions.first_stage import FirstStage, PairVectors, has_time
from hornbook.workflows.projects.questions.together import JudgedPassages, settled_weight

PASSAGES = ["The otter sleeps.", "A heron stands by the river.", "Rivers run to the sea."]
UP, ASIDE = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def test_words_alone_find_what_has_them():
    stage = FirstStage(PASSAGES, TextRanking(PASSAGES))
    scores, texts = stage.found("which heron stands", 3)
    assert texts == PASSAGES[1:2] and len(scores) == 1
    assert stage.found("the river", 1, without=PASSAGES[1:2])[1] == PASSAGES[2:]


def test_vectors_find_what_has_none_of_the_words():
    vectors = PairVectors({"napping mammal": UP, "the river": UP}, np.stack([UP, ASIDE, ASIDE]))
    stage = FirstStage(PASSAGES, TextRanking(PASSAGES), vectors)
    assert stage.found("napping mammal", 1)[1] == PASSAGES[:1]
    scores, texts = stage.found("the river", 3)
    assert set(texts) == set(PASSAGES) and list(scores) == sorted(scores, reverse=True)


def test_what_there_is_time_for_is_no_matter_of_measuring():
    assert has_time(20_000, None) and not has_time(20_001, None)
    assert has_time(400, 1) and not has_time(401, 1)


def judged(own, logits, right=0):
    return JudgedPassages(np.array(own, float), np.array(logits, float), right, 0.0)


def test_a_weight_must_gain_more_than_chance():
    helps = [judged([2, 1, 0], [0, 5, 0], 1)] * 9 + [judged([2, 1, 0], [5, 0, 0])]
    assert settled_weight(helps) > 0
    harms = [judged([2, 1, 0], [0, 5, 0])] * 10
    assert settled_weight(harms) == 0
    alike = [judged([2, 1, 0], [0, 5, 0], right) for right in (0, 1)] * 20
    assert settled_weight(alike) == 0
    one_of_many = [judged([2, 1, 0], [0, 5, 0], 1), *[judged([1, 0, 0], [1, 0, 0])] * 30]
    assert settled_weight(one_of_many) == 0


def test_the_weight_says_where_the_right_one_stands():
    one = judged([3, 2, 0], [0, 1, 4], 2)
    assert [one.rank(w) for w in (0.0, 1.0)] == [3, 1]
    assert one._replace(right=None).rank(1.0) == np.inf
    ties = judged([1, 1], [0, 0], 1)
    assert ties.rank(0.5) == pytest.approx(2)  # of equal ones the search's order holds
