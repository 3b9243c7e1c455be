"""BLEU is sacreBLEU's, its interval comes from the sentences, and lengths share them out."""

import itertools

import pytest

from hornbook.evaluate.bleu import bleu, bleu_by_length

sacrebleu = pytest.importorskip("sacrebleu")

REFERENCES = [f"The {n} dogs are running over the wet grass number {n}." for n in range(40)]
OUTPUTS = [r if i % 3 else r.replace("running", "walking") for i, r in enumerate(REFERENCES)]


def test_the_score_and_signature_are_sacrebleus():
    found = bleu(OUTPUTS, REFERENCES, rounds=200)
    expected = sacrebleu.corpus_bleu(OUTPUTS, [REFERENCES])
    assert found.score.value == expected.score
    assert found.score.low < found.score.value < found.score.high
    assert "tok:13a" in found.signature and "case:mixed" in found.signature
    assert bleu(OUTPUTS, REFERENCES, rounds=200) == found


def test_equal_texts_have_no_spread():
    assert tuple(bleu(REFERENCES, REFERENCES, rounds=20).score) == pytest.approx((100, 100, 100))


def test_lengths_share_out_all_sentences():
    sources = [" ".join(["word"] * (1 + i % 10)) for i in range(40)]
    parts = bleu_by_length(sources, OUTPUTS, REFERENCES)
    assert sum(part.sentences for part in parts) == 40
    assert (parts[0].least, parts[-1].most) == (1, 10)
    assert all(a.most + 1 == b.least for a, b in itertools.pairwise(parts))
