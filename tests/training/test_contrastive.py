"""The contrastive loss, beside one written out by hand, and what is no negative."""

import math

import numpy as np
import pytest
import torch

from hornbook.batches.questions import (
    GroupBatches,
    QuestionBatches,
    group_batch,
    side_by_side,
)
from hornbook.models.classifier import on_encoder
from hornbook.models.encoder_presets import BertSizes, bert
from hornbook.tokenize.sequences import PairSequence
from hornbook.training.contrastive import contrast, right_first, sentence_vectors


@pytest.fixture(scope="module")
def model():
    sizes = BertSizes(vocab=50, width=16, depth=1, context=12, heads=2, hidden=24)
    return bert(sizes).build(1)


def batches(numbers, rows=4):
    draw = np.random.default_rng(0)
    texts = [draw.integers(1, 50, draw.integers(2, 9)) for _ in range(2 * len(numbers))]
    half = len(numbers)
    numbers = np.array(numbers, np.int64)
    return QuestionBatches(texts[:half], texts[half:], numbers, rows, 0, 0)


def by_hand(model, batch, temperature):
    """The loss sum, pair by pair; a passage that comes twice is no negative of itself."""
    q = sentence_vectors(model, batch.questions, batch.questions_valid)
    p = sentence_vectors(model, batch.passages, batch.passages_valid)
    cosines, total, count = (q @ p.T).tolist(), 0.0, len(q)
    for i in range(count):
        for line in ([cosines[i][j] for j in range(count)], [cosines[j][i] for j in range(count)]):
            others = [
                math.exp(line[j] / temperature)
                for j in range(count)
                if j == i or batch.numbers[j] != batch.numbers[i]
            ]
            total -= math.log(math.exp(line[i] / temperature) / sum(others)) / 2
    return total


@pytest.mark.parametrize("numbers", [[0, 1, 2, 3], [0, 1, 0, 2]])
def test_the_loss_is_that_of_the_equation(model, numbers):
    batch = batches(numbers).batch(0)
    loss, count = contrast(0.1)(model, batch)
    assert count == 4
    assert loss.item() == pytest.approx(by_hand(model, batch, 0.1), rel=1e-5)


def test_padding_moves_no_vector(model):
    batch = batches([0, 1, 2, 3]).batch(0)
    vectors = sentence_vectors(model, batch.questions, batch.questions_valid)
    for row, tokens in enumerate(batch.questions):
        alone = tokens[batch.questions_valid[row]][None]
        found = sentence_vectors(model, alone, torch.ones_like(alone, dtype=torch.bool))
        assert torch.allclose(found[0], vectors[row], atol=1e-6)


def test_every_pair_comes_once_an_epoch_and_stays_together():
    all_pairs = batches(range(10), rows=4)
    seen = torch.cat([all_pairs.batch(step).numbers for step in range(5)])
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))
    batch = all_pairs.batch(1)
    for i, number in enumerate(batch.numbers.tolist()):
        passage = batch.passages[i][batch.passages_valid[i]]
        assert passage.tolist() == all_pairs.passages[number].tolist()


def test_pairs_that_are_near_come_together():
    near = np.array([[8 * (i // 8) + (i + j) % 8 for j in range(1, 8)] for i in range(40)])
    order = side_by_side(near, np.random.default_rng(0))
    assert sorted(order) == list(range(40))
    for start in range(0, 40, 8):
        assert len({pair // 8 for pair in order[start : start + 8]}) == 1
    again = side_by_side(near, np.random.default_rng(1))
    assert list(again) != list(order)
    numbers = np.arange(40)
    texts = list(numbers[:, None])
    every = QuestionBatches(texts, texts, numbers, 8, 0, 0, near)
    seen = torch.cat([every.of(4).batch(step).numbers for step in range(10)])
    assert sorted(seen.tolist()) == list(range(40))


@pytest.mark.parametrize("at_once", [1, 8, 64])
def test_how_many_are_computed_at_once_moves_no_vector(model, at_once, monkeypatch):
    batch = batches(range(6), rows=6).batch(0)
    whole = sentence_vectors(model, batch.passages, batch.passages_valid)
    monkeypatch.setattr("hornbook.training.contrastive._TOKENS_AT_ONCE", at_once)
    parts = sentence_vectors(model, batch.passages, batch.passages_valid)
    assert torch.allclose(whole, parts, atol=1e-6)


@pytest.fixture(scope="module")
def cross():
    sizes = BertSizes(vocab=50, width=16, depth=1, context=12, heads=2, hidden=24)
    return on_encoder(bert(sizes), ["relevance"]).build(1)


def groups(wrong=2, rows=3, count=5):
    """Of texts that are their own ids: question n is right beside passage n."""

    def read(pairs):
        return [
            PairSequence(np.array([one, 40, other]), np.array([0, 0, 1])) for one, other in pairs
        ]

    right = [(n + 1, n + 11) for n in range(count)]
    others = [[p for _, p in right if p != n + 11] for n in range(count)]
    return GroupBatches(right, others, read, wrong, rows, 0)


def test_the_right_one_of_a_group_is_told_from_the_others(cross):
    batch = groups().batch(0)
    loss, count = right_first(cross, batch)
    logits = cross(batch.tokens, batch.valid, batch.types)[:, 0].view(3, 3).tolist()
    by_hand = sum(math.log(sum(math.exp(x - line[0]) for x in line)) for line in logits)
    assert count == 3 and loss.item() == pytest.approx(by_hand, rel=1e-5)
    parts = [right_first(cross, part) for part in batch.split(2)]
    assert [n for _, n in parts] == [2, 1]
    assert sum(part.item() for part, _ in parts) == pytest.approx(loss.item(), rel=1e-5)


def test_pieces_of_groups_are_as_long_as_their_longest(cross):
    lengths = [2, 3, 11, 4, 5, 5]
    pairs = [PairSequence(np.arange(1, n + 1), np.zeros(n, np.int64)) for n in lengths]
    batch = group_batch(pairs, 2)
    parts = list(batch.split(1))
    assert [part.tokens.shape[1] for part in parts] == [11, 5, 3]
    assert [part.valid.sum(1).tolist() for part in parts] == [[11, 4], [5, 5], [2, 3]]
    total = sum(right_first(cross, part)[0].item() for part in parts)
    assert total == pytest.approx(right_first(cross, batch)[0].item(), rel=1e-5)


def test_the_side_of_a_token_counts(cross):
    batch = groups().batch(0)
    plain = batch._replace(types=torch.zeros_like(batch.types))
    assert right_first(cross, batch)[0] != right_first(cross, plain)[0]


def test_every_question_comes_once_an_epoch_beside_others_passages():
    every = groups(wrong=3, rows=2)
    seen = []
    for step in range(5):
        tokens = every.batch(step).tokens.view(2, 4, 3)
        assert torch.equal(tokens, every.batch(step).tokens.view(2, 4, 3))
        for group in tokens.tolist():
            questions, _, passages = zip(*group, strict=True)
            assert set(questions) == {questions[0]} and len(set(passages)) == 4
            assert passages[0] == questions[0] + 10
            seen.append(questions[0])
    assert sorted(seen[:5]) == sorted(seen[5:]) == [1, 2, 3, 4, 5]
