"""Hand-made features and TF-IDF tell spam from other messages, in folds without copies."""

import numpy as np
import pytest

from hornbook.baselines.linear_classifier import make
from hornbook.datasets.labelled import folds, read_labelled, without_copies
from hornbook.evaluate.classification import classification_scores

pytestmark = [pytest.mark.data, pytest.mark.slow]


def test_spam_is_told_in_five_folds(data):
    read = read_labelled(data / "spam_sms" / "SMSSpamCollection.tsv")
    rows, dropped = without_copies(read.rows)
    assert (len(read.rows), dropped, read.classes) == (5574, 414, ["ham", "spam"])
    fold = np.array(folds(rows, 5))
    shares = np.zeros((len(rows), 2))
    for tested in range(5):
        train = [row for row, f in zip(rows, fold, strict=True) if f != tested]
        model = make("handmade_tfidf").fit([r.text for r in train], [r.label for r in train])
        places = np.flatnonzero(fold == tested)
        shares[places] = model.probabilities([rows[i].text for i in places])
    truth = np.array([read.classes.index(row.label) for row in rows])
    found = classification_scores(shares, truth, read.classes)
    assert found["accuracy"].value >= 0.985
    assert found["calibration_error"].value < 0.01
