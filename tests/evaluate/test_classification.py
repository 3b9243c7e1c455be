"""Scores of classifiers: against other libraries, against simulation, and where little is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.evaluate.classification import (
    class_scores,
    classification_scores,
    confusion,
    mcnemar,
    paired,
    smallest_difference,
)


def simulated(items, classes, seed=0, signal=1.5):
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, classes, items)
    logits = draw.normal(size=(items, classes)).round(1)  # rounded: ties must count half
    logits[np.arange(items), truth] += signal
    shares = np.exp(logits)
    return shares / shares.sum(1, keepdims=True), truth


@pytest.mark.parametrize("classes", [2, 4])
def test_values_equal_those_of_scikit_learn(classes):
    from sklearn import metrics

    shares, truth = simulated(300, classes)
    found = classification_scores(shares, truth, [str(i) for i in range(classes)])
    guesses = shares.argmax(1)
    auc = (
        metrics.roc_auc_score(truth, shares[:, 1])
        if classes == 2
        else metrics.roc_auc_score(truth, shares, multi_class="ovr", average="macro")
    )
    expected = {
        "accuracy": metrics.accuracy_score(truth, guesses),
        "macro_f1": metrics.f1_score(truth, guesses, average="macro"),
        "auc": auc,
        "log_loss": metrics.log_loss(truth, shares),
        "brier": float(((shares - np.eye(classes)[truth]) ** 2).sum(1).mean()),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-12)
    assert (confusion(guesses, truth, classes) == metrics.confusion_matrix(truth, guesses)).all()


def test_calibration_error_by_hand():
    shares = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    found = classification_scores(shares, np.array([0, 1, 0, 1]), ["a", "b"])
    # The bin of 0.9 is right in 1 of 2, that of 0.6 in 2 of 2: 2/4 x 0.4 + 2/4 x 0.4.
    assert found["calibration_error"].value == pytest.approx(0.4)


def test_intervals_hold_the_true_values_about_as_often_as_they_say():
    large, truth = simulated(200_000, 2, seed=9)
    names = ("macro_f1", "auc", "log_loss", "brier")
    real = {n: e.value for n, e in classification_scores(large, truth, ["a", "b"]).items()}
    held = dict.fromkeys(names, 0)
    for seed in range(30):
        found = classification_scores(*simulated(400, 2, seed=seed + 10), ["a", "b"])
        for name in names:
            held[name] += found[name].low <= real[name] <= found[name].high
    assert all(count >= 26 for count in held.values()), held


def test_the_interval_of_an_area_is_delongs():
    shares, truth = simulated(250, 2, seed=3)
    found = classification_scores(shares, truth, ["a", "b"])["auc"]
    inside, outside = shares[truth == 1, 1], shares[truth == 0, 1]
    wins = (inside[:, None] > outside) + (inside[:, None] == outside) / 2
    variance = wins.mean(1).var() / len(inside) + wins.mean(0).var() / len(outside)
    area = wins.mean()
    odds, half = math.log(area / (1 - area)), 1.959964 * variance**0.5 / (area * (1 - area))
    bounds = [1 / (1 + math.exp(-odds - sign * half)) for sign in (-1, 1)]
    assert [found.value, found.low, found.high] == pytest.approx([area, *bounds], abs=1e-9)


@given(st.integers(1, 40), st.integers(2, 5), st.integers(0, 5))
def test_any_test_set_gives_figures_in_order(items, classes, seed):
    shares, truth = simulated(items, classes, seed)
    found = classification_scores(shares, truth, [str(i) for i in range(classes)])
    for name, (value, low, high) in found.items():
        assert low <= high
        assert math.isnan(value) or name in ("log_loss", "brier") or low <= value <= high, name
    assert found["accuracy"].low < 1


def test_perfect_and_one_sided_tests_do_not_claim_certainty():
    sure = np.array([[0.9, 0.1]] * 3 + [[0.2, 0.8]] * 3)
    found = classification_scores(sure, np.array([0, 0, 0, 1, 1, 1]), ["a", "b"])
    assert found["macro_f1"].value == found["auc"].value == 1
    assert found["macro_f1"].low < 0.7
    assert found["auc"].low < 0.7
    one = classification_scores(sure[:3], np.array([0, 0, 0]), ["a", "b"])
    assert math.isnan(one["auc"].value)
    assert (one["auc"].low, one["auc"].high) == (0, 1)
    zero = classification_scores(np.array([[1.0, 0.0]]), np.array([1]), ["a", "b"])
    assert math.isfinite(zero["log_loss"].value)


def test_the_seed_decides():
    shares, truth = simulated(200, 3)
    one, two, other = (classification_scores(shares, truth, list("abc"), s) for s in (0, 0, 1))
    assert one == two
    assert one != other


def test_scores_of_classes():
    table = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])
    found = class_scores(table, ["a", "b", "never"])
    assert found["a"].precision.value == pytest.approx(8 / 9)
    assert found["a"].recall.value == pytest.approx(0.8)
    assert found["b"].f1 == pytest.approx(18 / 21)
    assert found["never"].items == 0
    assert math.isnan(found["never"].f1)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(one, other):
    from scipy.stats import binom, binomtest

    exact, mid = mcnemar(one, other)
    if one + other == 0:
        assert (exact, mid) == (1, 1)
        return
    assert exact == pytest.approx(binomtest(one, one + other).pvalue)
    point = binom.pmf(one, one + other, 0.5)
    # Mid-p takes half of what is as unlikely as what was seen, on both sides.
    both = 1 if one != other else 0.5
    assert mid == pytest.approx(min(1, exact) - both * point if one != other else 1 - point / 2)
    assert mid <= exact + 1e-12


def test_pairs():
    shares, truth = simulated(600, 2, seed=1, signal=2.0)
    worse, _ = simulated(600, 2, seed=1, signal=1.0)
    found = paired(shares, worse, truth)
    gain = (shares.argmax(1) == truth).mean() - (worse.argmax(1) == truth).mean()
    assert found.accuracy.value == pytest.approx(gain)
    assert (found.only_one - found.only_other) / 600 == pytest.approx(gain)
    assert 0 < found.accuracy.low < gain < found.accuracy.high
    assert found.log_loss.high < 0
    assert found.mid < 0.01
    same = paired(shares, shares, truth)
    assert same[:4] == (0, 0, 1, 1)
    assert same.accuracy == (0, 0, 0)


def test_the_smallest_difference_is_shown_as_often_as_promised():
    items, accuracy = 1000, 0.9
    difference = smallest_difference(items, accuracy)
    assert 0.02 < difference < 0.06
    draw, shown = np.random.default_rng(0), 0
    for _ in range(400):
        good, bad = draw.random(items) < accuracy, draw.random(items) < accuracy - difference
        shown += mcnemar(int((good & ~bad).sum()), int((bad & ~good).sum()))[1] < 0.05
    assert 0.72 < shown / 400 < 0.88


def test_the_smallest_difference_shrinks_with_items_and_agreement():
    found = [smallest_difference(n, 0.9) for n in (5, 50, 500, 5000, 50000)]
    assert found[0] == 1
    assert found == sorted(found, reverse=True)
    assert smallest_difference(1000, 0.9, disagreement=0.05) < smallest_difference(1000, 0.9)
