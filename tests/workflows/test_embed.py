"""Vectors of texts in a file: a row for each, in order, whatever stands in the texts."""

import json
from pathlib import Path

import numpy as np
import pytest

from hornbook.core.errors import HornbookError, UsageError
from hornbook.models import sentences
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.read.documents import Rejection
from hornbook.workflows.open.encoder import Encoder
from hornbook.workflows.use.embed import embed_to

TEXTS = ["one two", "", "three " * 30, "four", " \t", "five six seven", "eight"]


class Letters:
    """A tokenizer whose tokens are characters, and that adds none of its own."""

    def encode_counted(self, texts, longest):
        ids = [np.array([min(ord(c), 99) for c in text], np.int64) for text in texts]
        return [i[:longest] for i in ids], np.array([len(i) for i in ids], np.int64)

    def encode_batch(self, texts, longest):
        return self.encode_counted(texts, longest)[0]


@pytest.fixture(scope="module")
def encoder():
    sizes = BertSizes(vocab=100, width=16, depth=2, context=32, heads=2, hidden=24)
    return Encoder(Path("bert"), bert(sizes).build(seed=5).eval(), Letters())


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_rows_are_the_texts_in_order(encoder, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(sentences, "_TEXTS_AT_ONCE", at_once)
    seen = []
    found = embed_to(tmp_path / "v.npy", encoder, TEXTS, advance=seen.append)
    vectors = np.load(tmp_path / "v.npy")
    assert vectors.dtype == np.float32 and vectors.shape == (7, 16)
    assert np.abs(vectors - sentences.embed(encoder.model, Letters(), TEXTS)).max() < 1e-5
    assert (found.texts, found.width, found.cut, found.empty) == (7, 16, 1, 2)
    assert found.tokens == sum(min(32, len(text)) for text in TEXTS)
    assert sum(seen) == 7 and max(seen) <= at_once
    embed_to(tmp_path / "v.jsonl", encoder, iter(TEXTS))
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    assert [row["row"] for row in rows] == list(range(7))
    assert [row["row"] for row in rows if "cut" in row] == [2]
    assert [row["row"] for row in rows if "empty" in row] == [1, 4]
    assert np.array_equal(np.array([row["vector"] for row in rows], np.float32), vectors)


def test_a_part_is_bounded_by_characters_too(monkeypatch):
    monkeypatch.setattr(sentences, "_CHARACTERS_AT_ONCE", 10)
    parts = list(sentences._parts(["a" * 6, "b" * 6, "c", "d" * 30, "e"]))
    assert [len(part) for part in parts] == [2, 2, 1]


def test_no_text_is_no_row(encoder, tmp_path):
    assert embed_to(tmp_path / "v.npy", encoder, []).texts == 0
    assert np.load(tmp_path / "v.npy").shape == (0, 16)


def test_mistakes_leave_nothing(encoder, tmp_path):
    with pytest.raises(UsageError, match=r"Did you mean '.npy'\?"):
        embed_to(tmp_path / "v.npz", encoder, TEXTS)
    with pytest.raises(UsageError, match="--longest 33: must be 1 to 32"):
        embed_to(tmp_path / "v.npy", encoder, TEXTS, longest=33)
    broken = ["one", Rejection("a.csv", 3, "broken row", "2 columns instead of 3")]
    with pytest.raises(HornbookError, match=r"a.csv:3 cannot be read \(broken row: 2 columns"):
        embed_to(tmp_path / "v.npy", encoder, broken)
    assert not list(tmp_path.iterdir())
