"""Probabilities that documents meet what is asked: by nearness, and by how many seem to."""

import numpy as np
import pytest

from hornbook.retrieve.relevance import Relevance, with_prior
from hornbook.retrieve.unrelated import unrelated

NOTHING = np.array([-0.05, 0.0, 0.05, 0.1])


def test_scales_of_encoders_are_the_same():
    low = Relevance.of(NOTHING, "what is asked")
    high = Relevance.of(0.8 + 0.2 * NOTHING, "what is asked")
    for near in (0.0, 0.2, 0.35, 0.6):
        assert high.probability(0.3, 0.8 + 0.2 * near) == pytest.approx(low.probability(0.3, near))
    assert low.probability(0.0, 0.03) < 0.01 < 0.9 < low.probability(0.0, 0.5)


def test_words_and_nearness_both_count():
    found = Relevance.of(NOTHING, "what is asked")
    by_share = [found.probability(share, 0.2) for share in (0.0, 0.5, 1.0)]
    assert by_share == sorted(by_share) and by_share[0] < by_share[2]
    # Where characters are words, a smaller share says as much.
    assert Relevance.of(NOTHING, "关于合同").probability(0.4, 0.2) > found.probability(0.4, 0.2)


def test_equal_cosines_divide_by_no_zero():
    assert 0 <= Relevance.of(np.zeros(3), "x").probability(1.0, 1.0) <= 1


def test_how_many_meet_it_is_taken_from_all():
    few = with_prior([0.9, *[0.05] * 999])
    assert few[0] < 0.5 and max(few[1:]) < 0.01  # one of a thousand may be chance
    sure = with_prior([0.9999, *[0.05] * 999])
    assert sure[0] > 0.9
    many = with_prior([0.6] * 200)
    assert min(many) > 0.6
    assert with_prior([]) == []
    (alone,) = with_prior([0.6])
    assert 0.55 < alone < 0.65


def test_order_stays_and_nothing_is_beyond_what_can_be():
    given = np.random.default_rng(0).random(300)
    found = np.array(with_prior([*given, 0.0, 1.0]))
    assert (np.argsort(found[:300]) == np.argsort(given)).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_unrelated_sentences_are_as_many_in_each_language():
    counts = {language: len(set(unrelated(language))) for language in ("en", "de", "zh")}
    assert set(counts.values()) == {24}
    assert unrelated("pt") == unrelated("en")
