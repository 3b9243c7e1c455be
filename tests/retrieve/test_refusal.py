"""The line between questions that are answered and those that are not."""

import numpy as np
import pytest

from hornbook.retrieve.refusal import FALSE_REFUSALS, VECTORS, WORDS, as_people_ask, settle_refusal


def drawn(apart, count=400, width=9):
    """(N, F) signs of both sides, those of answered questions larger."""
    draw = np.random.default_rng(0)
    signs = draw.normal(0, 1, (2, count, width))
    return signs[0] + apart, signs[1]


@pytest.mark.parametrize("width", [len(WORDS), len(VECTORS)])
@pytest.mark.parametrize(
    ("apart", "least", "most"), [(0.0, 0.9, 1.0), (1.0, 0.02, 0.6), (6.0, 0, 0)]
)
def test_few_answers_are_refused_however_far_apart_both_are(width, apart, least, most):
    refusal = settle_refusal(*drawn(apart, width=width), WORDS if width == len(WORDS) else VECTORS)
    assert refusal.false_refusals == pytest.approx(FALSE_REFUSALS, abs=0.01)
    assert least <= refusal.false_answers <= most
    assert refusal.questions == 400


@pytest.mark.parametrize("weights", [VECTORS, None])
def test_rates_hold_for_other_questions(weights):
    answered, removed = drawn(1.0)
    refusal = settle_refusal(answered[:200], removed[:200], weights)
    missed = np.mean([refusal.score(row) >= refusal.threshold for row in removed[200:]])
    refused = np.mean([refusal.score(row) < refusal.threshold for row in answered[200:]])
    assert missed == pytest.approx(refusal.false_answers, abs=0.1)
    assert refused == pytest.approx(refusal.false_refusals, abs=0.05)


def test_how_large_signs_are_in_an_index_changes_no_verdict():
    answered, removed = drawn(1.0)
    one, other = (settle_refusal(k * answered + 3, k * removed + 3, VECTORS) for k in (1, 5))
    rows = removed[:50]
    assert [one.score(row + 3) < one.threshold for row in rows] == [
        other.score(5 * row + 3) < other.threshold for row in rows
    ]


def test_a_sign_that_is_always_the_same_is_no_error():
    answered, removed = drawn(2.0)
    answered[:, 0] = removed[:, 0] = 0.5
    assert all(np.isfinite(settle_refusal(answered, removed, w).threshold) for w in (VECTORS, None))


@pytest.mark.parametrize("weights", [WORDS, VECTORS])
def test_people_are_nearer_by_vectors_and_by_nothing_else(weights):
    made = settle_refusal(*drawn(1.0, width=len(weights)), weights)
    asked = as_people_ask(made)
    nearer = np.array(made.mean)
    nearer[len(WORDS) :] += np.array(made.spread[len(WORDS) :])
    assert asked.score(nearer) == pytest.approx(made.score(made.mean))
    assert asked._replace(mean=made.mean) == made and (weights == WORDS) == (asked == made)
