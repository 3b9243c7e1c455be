"""Figures of rankings, by hand."""

import math

import pytest

from hornbook.retrieve.measures import hit, ndcg, recall, reciprocal_rank

CASES = [
    # gains by rank, what is to be found, ndcg@10, recall@10, reciprocal rank
    ([1, 0, 0], [1], 1.0, 1.0, 1.0),
    ([0, 1, 0], [1], 1 / math.log2(3), 1.0, 0.5),
    ([0, 0, 0], [1], 0.0, 0.0, 0.0),
    ([1, 1], [1, 1], 1.0, 1.0, 1.0),
    ([0, 1], [1, 1], (1 / math.log2(3)) / (1 + 1 / math.log2(3)), 0.5, 0.5),
    ([1, 2], [2, 1], (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3)), 1.0, 1.0),
    ([0] * 10 + [1], [1], 0.0, 0.0, 0.0),
    ([], [1], 0.0, 0.0, 0.0),
]


@pytest.mark.parametrize(("gains", "ideal", "cumulated", "found", "rank"), CASES)
def test_a_ranking_is_worth_what_it_is_by_hand(gains, ideal, cumulated, found, rank):
    assert ndcg(gains, ideal) == pytest.approx(cumulated)
    assert recall(gains, len(ideal), 10) == pytest.approx(found)
    assert reciprocal_rank(gains) == pytest.approx(rank)
    assert hit(gains, 5) == float(any(gains[:5]))
