"""Conversations: each once an epoch, loss on answers only, nobody sees another."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hornbook.batches.batch import IGNORE
from hornbook.batches.conversations import Example, PackedConversations, fits, stack


def example(number, length, asked=1):
    ids = np.full(length, number)
    ids[0] = 1000 + number
    return Example(ids, np.arange(length) >= asked)


@given(st.lists(st.integers(2, 17), min_size=1, max_size=30), st.integers(1, 4))
def test_each_example_once_an_epoch(lengths, rows):
    examples = [example(i, length) for i, length in enumerate(lengths)]
    packed = PackedConversations(examples, 16, rows, seed=0, padding=0)
    for epoch in (0, 1):
        steps = range(epoch * packed.steps_per_epoch, (epoch + 1) * packed.steps_per_epoch)
        tokens = np.concatenate([packed.batch(step).tokens.numpy() for step in steps])
        starts = tokens[tokens >= 1000] - 1000
        assert sorted(starts) == list(range(len(lengths)))


def test_answers_only_and_positions_from_zero():
    batch = stack([[example(5, 4, asked=2), example(6, 3)]], context=8, padding=9)
    assert batch.tokens[0].tolist() == [1005, 5, 5, 1006, 6, 9, 9, 9]
    assert batch.targets[0].tolist() == [IGNORE, 5, 5, 6, 6, IGNORE, IGNORE, IGNORE]
    assert batch.pos[0].tolist() == [0, 1, 2, 0, 1, 0, 0, 0]
    assert batch.segments[0].tolist() == [1, 1, 1, 2, 2, 0, 0, 0]


def test_what_does_not_fit():
    assert fits(example(0, 9), 8)
    assert not fits(example(0, 10), 8)
    assert not fits(Example(np.arange(4), np.zeros(4, bool)), 8)
