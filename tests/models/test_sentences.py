"""Sentence embeddings: order and batches do not matter, and real weights answer as elsewhere."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers

from hornbook.models import sentences
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.models.folder import load_model
from hornbook.models.sentences import embed
from hornbook.tokenize.sequences import SequenceTokenizer

TEXTS = [
    "A hornbook is a small tablet from which people learned to read.",
    "",
    "Die Katze saß auf dem Tisch; naïve café, 中文字!",
    "word " * 400,
    "The cat sat on the table.",
]


class Letters:
    """A tokenizer whose tokens are characters."""

    def encode_batch(self, texts, longest):
        return [np.array([min(ord(c), 99) for c in f" {text}"[:longest]]) for text in texts]


def test_order_and_batches_do_not_matter(monkeypatch):
    sizes = BertSizes(vocab=100, width=16, depth=2, context=32, heads=2, hidden=24)
    model = bert(sizes).build().eval()
    together = embed(model, Letters(), TEXTS)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    backward = embed(model, Letters(), TEXTS[::-1])[::-1]
    assert np.abs(together - backward).max() < 1e-5
    monkeypatch.setattr(sentences, "_TOKENS_AT_ONCE", 1)
    assert np.abs(together - embed(model, Letters(), TEXTS)).max() < 1e-5
    assert np.abs(together - embed(model, Letters(), TEXTS, longest=5)).max() > 1e-2
    assert embed(model, Letters(), []).shape == (0, 16)


@pytest.mark.slow
def test_all_minilm_answers_as_in_transformers():
    if "HORNBOOK_MINILM" not in os.environ:
        pytest.skip("HORNBOOK_MINILM names no folder with all-MiniLM-L6-v2")
    folder = Path(os.environ["HORNBOOK_MINILM"])
    ours = embed(load_model(folder).eval(), SequenceTokenizer.load(folder), TEXTS)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(TEXTS, padding=True, truncation=True, max_length=512, return_tensors="pt")
    with torch.no_grad():
        features = theirs(**inputs).last_hidden_state
    valid = inputs["attention_mask"][..., None].float()
    expected = F.normalize((features * valid).sum(1) / valid.sum(1), dim=1)
    assert np.abs(ours - expected.numpy()).max() < 1e-4
    similar = ours @ ours.T
    assert similar[2, 4] < similar[4, 4] and similar.shape == (5, 5)
