"""Languages of real sentences in 79 languages."""

import gzip
import json

import pytest

from hornbook.corpus.language import language_of

pytestmark = pytest.mark.data
NORWEGIAN = {"nb": "no", "nn": "no"}
"""Two ways to write one language, which sentences alone hardly tell apart."""


def test_sentences_of_forty_characters_are_told_apart(data):
    path = data / "langid_lingua" / "sentences.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if len(row["text"]) >= 40][::5]
    found = [language_of(row["text"]).code for row in rows]
    right = sum(
        NORWEGIAN.get(code, code) == NORWEGIAN.get(row["lang"], row["lang"])
        for code, row in zip(found, rows, strict=True)
    )
    assert len({row["lang"] for row in rows}) > 75
    assert right / len(rows) >= 0.95
