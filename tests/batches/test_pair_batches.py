"""Every pair once an epoch, little padding, an order that depends on seed and step alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hornbook.batches.batch import IGNORE
from hornbook.batches.translation import EncodedPair, PairBatches, collate

START, END = 999, 0


def make_pairs(count, longest=30, seed=0):
    draw = np.random.default_rng(seed)
    lengths = draw.integers(1, longest, (count, 2))
    # The first token of a source tells which pair it is.
    return [
        EncodedPair(np.array([i + 1000, *range(1, s)]), np.arange(1, t + 1))
        for i, (s, t) in enumerate(lengths)
    ]


def rows_of(batch):
    return (batch.source[:, 0] - 1000).tolist()


@given(count=st.integers(1, 120), tokens=st.integers(20, 400), seed=st.integers(0, 3))
def test_every_pair_once_an_epoch(count, tokens, seed):
    batches = PairBatches(make_pairs(count), tokens, seed, START, END)
    step = 0
    for epoch in range(3):
        seen = []
        while len(seen) < count:
            batch = batches.batch(step)
            seen += rows_of(batch)
            assert len(batch.source) == 1 or batch.source.numel() + batch.tokens.numel() <= tokens
            step += 1
        assert sorted(seen) == list(range(count))
        assert step == batches._first_steps[epoch + 1] if epoch < 2 else True


def test_the_order_is_a_function_of_seed_and_step():
    pairs = make_pairs(300)
    one, other = (PairBatches(pairs, 500, 7, START, END) for _ in range(2))
    ahead = [rows_of(one.batch(step)) for step in range(60)]
    assert rows_of(other.batch(59)) == ahead[59]  # as after a restart
    assert rows_of(other.batch(3)) == ahead[3]
    assert rows_of(PairBatches(pairs, 500, 8, START, END).batch(3)) != ahead[3]
    epoch = int(one.steps_per_epoch)
    assert {tuple(rows) for rows in ahead[:epoch]} != {tuple(rows) for rows in ahead[epoch:]}


def test_little_is_padding():
    batches = PairBatches(make_pairs(5000), 4000, 0, START, END)
    real = padded = 0
    for step in range(int(batches.steps_per_epoch)):
        batch = batches.batch(step)
        real += int(batch.source_valid.sum()) + int((batch.targets != IGNORE).sum())
        padded += batch.source.numel() + batch.targets.numel()
    # Lengths here are independent of each other; translations are about as long as their sources.
    assert real / padded > 0.7


def test_starts_ends_and_padding():
    pairs = [EncodedPair(np.array([5, 6]), np.array([7])), EncodedPair(np.array([8]), np.arange(3))]
    batch = collate(pairs, START, END)
    assert batch.source.tolist() == [[5, 6, END], [8, END, 0]]
    assert batch.source_valid.tolist() == [[True] * 3, [True, True, False]]
    assert batch.tokens.tolist() == [[START, 7, 0, 0], [START, 0, 1, 2]]
    assert batch.targets.tolist() == [[7, END, IGNORE, IGNORE], [0, 1, 2, END]]


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_pieces_are_the_whole(rows):
    batch = collate(make_pairs(5), START, END)
    parts = list(batch.split(rows))
    assert all(len(part.source) <= rows for part in parts)
    for whole, pieces in zip(batch, zip(*parts, strict=True), strict=True):
        assert torch.equal(whole, torch.cat(pieces))
