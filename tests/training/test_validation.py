"""Validation scores every token once, whatever the stride, and converts to bits per byte."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hornbook.batches.batch import IGNORE
from hornbook.training.validation import Validation


class MemoryShards:
    def __init__(self, count):
        self.tokens, self.eos = count, 0

    def read(self, start, stop):
        return np.arange(start + 1, stop + 1)  # token i of the stream is i + 1; 0 is the end


@given(st.integers(1, 80), st.integers(1, 12), st.integers(1, 12), st.integers(1, 4))
def test_every_token_once_after_its_predecessor(count, context, stride, rows):
    stride = min(stride, context)
    validation = Validation(MemoryShards(count), np.ones(200), context, rows, stride)
    seen = []
    for step in range(validation.steps):
        batch = validation.batch(step)
        trained = batch.targets != IGNORE
        seen += batch.targets[trained].tolist()
        assert torch.equal(batch.tokens[trained] + 1, batch.targets[trained])
    assert sorted(seen) == list(range(1, count + 1))


def test_bits_per_byte_by_hand():
    sizes = np.array([0, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3])
    validation = Validation(MemoryShards(10), sizes, 4, 2)
    model = torch.nn.Identity().train()

    def losses(model, batch):
        assert not model.training
        return torch.where(batch.targets != IGNORE, math.log(8.0), 0.0)

    score = validation.score(model, losses, "cpu", "float32")
    assert score.bits_per_byte.value == pytest.approx(3 * 10 / sizes[1:].sum())
    assert score.bits_per_byte.low <= score.bits_per_byte.value <= score.bits_per_byte.high
    assert score.nats_per_token == pytest.approx(math.log(8.0))
    assert score.tokens == 10
    assert model.training


def test_limit_takes_windows_from_the_whole_text():
    validation = Validation(MemoryShards(1000), np.ones(2000), 10, 4, limit=100)
    assert len(validation.starts) == 10
    assert validation.starts[0] == 0
    assert validation.starts[-1] == 990
