"""How well words alone find, on questions that nothing here was chosen on."""

import os
import statistics
from pathlib import Path

import pytest

from benchmarks.retrieve import collections, hit_at_5, ndcg, ours


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "score", "least"),
    [
        ("scifact", ndcg, 0.68),
        ("en", hit_at_5, 0.985),
        ("zh", hit_at_5, 0.985),
        ("de", hit_at_5, 0.97),
        ("cmrc", hit_at_5, 0.99),
    ],
)
def test_words_find(tmp_path, name, score, least):
    collection = collections(Path(os.environ["HORNBOOK_DATA"]), name)
    side = ours(collection, tmp_path)
    found = [side.find(question, 10) for question in collection.questions]
    side.close()
    assert statistics.mean(map(score, found, collection.answers)) >= least
