"""Texts ranked by words in memory, and hits ranked anew."""

import math

import numpy as np
import pytest

from hornbook.core.errors import HornbookError
from hornbook.retrieve.reranking import READ, Counting, Reranking, between
from hornbook.retrieve.search import Hit
from hornbook.retrieve.text_ranking import TextRanking

TEXTS = ["The otter sleeps in the kelp.", "Otters and otters hold hands.", "A heron stands.", ""]


def test_words_count_as_the_equation_says():
    scores = TextRanking(TEXTS).scores("What do otters do?")
    lengths = [6, 5, 3, 0]
    rarity = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))
    for text, times in ((0, 1), (1, 2), (2, 0)):
        damping = 1.2 * (0.25 + 0.75 * lengths[text] / np.mean(lengths))
        expected = rarity * times * 2.2 / (times + damping)
        assert scores[text] == pytest.approx(expected)


def test_only_texts_with_a_word_are_found_and_equal_ones_in_their_order():
    assert TextRanking(TEXTS).best("otters", 5) == [1, 0]
    assert TextRanking(["a heron", "a heron", "an otter"]).best("heron", 5) == [0, 1]
    assert TextRanking(TEXTS).best("otters", 1) == [1]
    assert TextRanking(TEXTS).best("??", 5) == []


def test_chinese_is_found_by_characters():
    assert TextRanking(["合同的解除", "保险合同", "刑法"]).best("解除合同", 3) == [0, 1]


def hit(number, score):
    return Hit(number, "f", "", "en", 1, None, 0, 4, f"text {number}", score, score, None, number,
               frozenset())  # fmt: skip


@pytest.mark.parametrize(
    ("counting", "order"),
    [(Counting(0.5), [1, 3, 2]), (Counting(1), [3, 1, 2]), (Counting(0, {"both": 1}), [3, 1, 2])],
)
def test_both_scores_count_by_the_weight(counting, order):
    given = {"text 1": 0.5, "text 2": 0.0, "text 3": 2.0}
    reranking = Reranking(lambda question, texts: np.array([given[t] for t in texts]), counting)
    hits = reranking.ranked("question", [hit(1, 9.0), hit(2, 4.0), hit(3, 1.0)], "both")
    assert [one.document for one in hits] == order
    assert [one.rerank for one in hits] == [given[one.text] for one in hits]
    assert [one.score for one in hits] == sorted((one.score for one in hits), reverse=True)


def test_one_that_counts_nothing_is_not_asked():
    hits = [hit(1, 9.0), hit(2, 4.0)]
    for counting in (Counting(0), Counting(1, {"words": 0})):
        assert Reranking(lambda *asked: 1 / 0, counting).ranked("question", hits, "words") == hits


def test_what_a_folder_says_of_counting_is_checked():
    said = Counting(0.5, {"words": 0.0, "both": 1.0}, 20, True)
    assert Counting.parse(said.plain(), "f") == said
    assert Counting.parse({"weight": 1}, "f") == Counting(1.0, settled=True)
    for values in ({}, [], {"weight": 2}, {"weight": 1, "by": {"both": "1"}},
                   {"weight": 1, "by": []}, {"weight": 1, "read": 0}):  # fmt: skip
        with pytest.raises(HornbookError, match="f: "):
            Counting.parse(values, "f")


def test_those_that_are_not_read_stay_behind():
    every = [hit(number, 100.0 - number) for number in range(READ + 3)]
    read = []

    def scores(question, texts):
        read.extend(texts)
        return -np.arange(len(texts), dtype=float)[::-1]

    found = Reranking(scores).ranked("question", every, "words")
    assert len(read) == READ and [one.document for one in found[:2]] == [READ - 1, READ - 2]
    assert [one.document for one in found[READ:]] == [READ, READ + 1, READ + 2]
    assert all(one.rerank is None for one in found[READ:])
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert Reranking(scores).ranked("question", [], "both") == []


def test_shares_of_equal_scores_are_none():
    assert between([3.0, 3.0]).tolist() == [0.0, 0.0]
    assert between([]).tolist() == []
    assert between([1.0, 3.0, 2.0]).tolist() == [0.0, 1.0, 0.5]
