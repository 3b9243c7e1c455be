"""Near duplicates: similarity is the shingles' own, planted copies are found, strangers are not."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import UsageError
from hornbook.corpus.near import NearConfig, components, pairs, signatures, similar
from hornbook.corpus.texts import Texts

CONFIG = NearConfig()


def document(draw, words, vocabulary=5000):
    return " ".join(f"w{int(vocabulary * draw.random() ** 2)}" for _ in range(words))


def changed(draw, text, share):
    """A share of the words replaced, at least one."""
    words = text.split()
    for i in draw.sample(range(len(words)), max(1, round(share * len(words)))):
        words[i] = f"new{draw.randrange(10**6)}"
    return " ".join(words)


def jaccard(one, other, size=3):
    sets = [
        {tuple(w[i : i + size]) for i in range(len(w) - size + 1)}
        for w in (one.split(), other.split())
    ]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_the_signature_estimates_the_similarity_of_shingles():
    draw = random.Random(0)
    texts = [document(draw, 300) for _ in range(40)]
    others = [changed(draw, text, draw.random() * 0.2) for text in texts]
    signed = signatures(Texts(texts + others), CONFIG)
    found = similar(signed[:40], signed[40:])
    true = np.array([jaccard(a, b) for a, b in zip(texts, others, strict=True)])
    assert abs((found - true).mean()) < 0.02  # no bias
    assert np.abs(found - true).max() < 0.2  # 4 standard deviations of 112 draws


@pytest.mark.parametrize("words", [60, 200, 2000])
def test_planted_copies_are_found_and_strangers_are_not(words):
    draw = random.Random(words)
    texts = [document(draw, words) for _ in range(300)]
    copies = [changed(draw, text, 0.05) for text in texts[:150]]
    found, _ = pairs(signatures(Texts(texts + copies), CONFIG), CONFIG)
    wanted = {(i, 300 + i) for i in range(150)}
    got = set(map(tuple, found.tolist()))
    assert len(wanted & got) >= 0.95 * len(wanted)
    assert len(wanted & got) >= 0.95 * len(got)


def part_of(draw, text, other, share):
    """A share of one text's words in one piece, the rest of another text."""
    words, rest = text.split(), other.split()
    size = round(share * len(words))
    start = draw.randrange(len(words) - size + 1)
    return " ".join([*words[start : start + size], *rest[: len(words) - size]])


@pytest.mark.parametrize("least", [0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9])
def test_what_is_clearly_as_similar_as_asked_for_is_found_at_any_threshold(least):
    draw = random.Random(round(100 * least))
    texts = [document(draw, 400) for _ in range(131)]
    # Clearly: the signature knows a similarity to some 0.04.
    similarity = least + 0.6 * (1 - least) if least > 0.8 else least + 0.12
    share = 2 * similarity / (1 + similarity)
    copies = [part_of(draw, texts[i], texts[i + 31], share) for i in range(31)]
    config = NearConfig(least=least)
    found, likeness = pairs(signatures(Texts(texts + copies), config), config)
    label = components(len(texts + copies), found)
    assert sum(label[i] == label[131 + i] for i in range(31)) >= 30
    assert (likeness >= least).all()
    exact = [jaccard((texts + copies)[a], (texts + copies)[b]) for a, b in found.tolist()]
    assert min(exact) > least - 0.15


def test_those_that_share_a_band_with_a_stranger_first_find_each_other():
    # The first shares a long phrase with all others, which are copies of one another in pairs.
    draw = random.Random(4)
    phrase = document(draw, 60)
    texts = [f"{phrase} {document(draw, 240)}" for _ in range(40)]
    copies = [changed(draw, text, 0.02) for text in texts]
    config = NearConfig(least=0.3)
    found, _ = pairs(signatures(Texts(texts + copies), config), config)
    label = components(80, found)
    assert all(label[i] == label[40 + i] for i in range(40))


def test_the_usual_threshold_has_28_bands_of_four():
    assert NearConfig().banding() == (28, 4) == NearConfig(least=1.0).banding()


@pytest.mark.parametrize("least", np.linspace(0.1, 1.0, 46).round(2))
def test_bands_and_rows_follow_from_the_threshold(least):
    bands, rows = NearConfig(least=least).banding()
    assert 1 - (1 - least**rows) ** bands >= 0.979 and 112 <= bands * rows <= 200


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"least": 0.05}, "by chance"),
        ({"least": 0.3, "bands": 28, "rows": 4}, "find 20% of the pairs"),
        ({"least": 0.6, "rows": 40}, "find|hashes a document"),
        ({"bands": 2000, "rows": 4}, "8,000 hashes a document"),
    ],
)
def test_what_cannot_be_found_is_refused_with_its_reason(settings, reason):
    with pytest.raises(UsageError, match=reason):
        NearConfig(**settings).banding()


def test_a_batch_is_signed_as_each_document_alone():
    draw = random.Random(1)
    texts = [document(draw, n) for n in (0, 1, 2, 3, 50)] + ["", "春眠不覺曉", "春", " \n"]
    together = signatures(Texts(texts), CONFIG)
    alone = [signatures(Texts([text]), CONFIG)[0] for text in texts]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_texts_without_words_are_no_duplicates_of_one_another():
    found, _ = pairs(signatures(Texts(["", " ", "\n", "a b", "a b"]), CONFIG), CONFIG)
    assert found.tolist() == [[3, 4]]


@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14))
def test_components_are_those_of_the_graph(count, edges):
    edges = [(a % count, b % count) for a, b in edges]
    label = list(range(count))
    for _ in range(count):
        for a, b in edges:
            label[a] = label[b] = min(label[a], label[b])
    assert components(count, np.array(edges, np.int64).reshape(-1, 2)).tolist() == label
