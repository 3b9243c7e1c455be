"""The line between questions that are answered and those that are not."""

import numpy as np
import pytest

from hornbook.retrieve.refusal import FALSE_REFUSALS, fit_refusal


def drawn(apart, count=200):
    """(N, 3) signs of both sides; the third tells nothing."""
    draw = np.random.default_rng(0)
    answered = draw.normal([apart, 0.5 * apart, 0], 1, (count, 3))
    removed = draw.normal(0, 1, (count, 3))
    return answered, removed


@pytest.mark.parametrize(("apart", "most"), [(0.0, 1.0), (2.0, 0.5), (6.0, 0.01)])
def test_few_answers_are_refused_however_far_apart_both_are(apart, most):
    refusal = fit_refusal(*drawn(apart))
    assert refusal.false_refusals == pytest.approx(FALSE_REFUSALS, abs=0.01)
    assert refusal.false_answers <= most
    assert refusal.questions == 200
    if apart:
        assert abs(refusal.weights[2]) < refusal.weights[0]


def test_rates_are_those_of_questions_it_was_not_fitted_to():
    answered, removed = drawn(2.0, 400)
    refusal = fit_refusal(answered[:200], removed[:200])
    missed = np.mean([refusal.score(row) >= refusal.threshold for row in removed[200:]])
    assert missed == pytest.approx(refusal.false_answers, abs=0.1)


def test_a_sign_that_is_always_the_same_changes_nothing():
    answered, removed = drawn(2.0)
    with_constant = [np.column_stack([side, np.ones(len(side))]) for side in (answered, removed)]
    one, other = fit_refusal(answered, removed), fit_refusal(*with_constant)
    assert other.weights[:3] == pytest.approx(one.weights)
    assert other.weights[3] == pytest.approx(0)
