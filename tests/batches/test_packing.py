"""No token is thrown away, and the order depends on (seed, step) alone."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from hornbook.batches.batch import IGNORE
from hornbook.batches.packing import PackedWindows


class MemoryShards:
    def __init__(self, count):
        self.ids, self.eos = np.arange(count) % 7, 0
        self.ids[-1] = 0
        self.tokens = count
        self.numbers = np.arange(count)

    def read(self, start, stop):
        return self.numbers[start:stop]


@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 3))
def test_every_token_is_a_target_once_an_epoch(count, context, rows, epoch):
    packed = PackedWindows(MemoryShards(count), context, rows, seed=5)
    first = epoch * packed.windows
    windows = [packed._window(row) for row in range(first, first + packed.windows)]
    targets = np.concatenate([window[1] for window in windows])
    assert sorted(targets[targets != IGNORE]) == list(range(count))
    for tokens, wanted, _ in windows:  # and what comes before each target is its predecessor
        trained = wanted != IGNORE
        assert ((tokens[trained] + 1) % count == wanted[trained]).all()


def test_any_step_can_be_asked_in_any_order():
    def fresh():
        return PackedWindows(MemoryShards(500), 8, 3, seed=1)

    forward = [fresh().batch(step).tokens for step in range(50)]
    packed = fresh()
    backward = [packed.batch(step).tokens for step in reversed(range(50))][::-1]
    assert all(map(torch.equal, forward, backward))
    assert not torch.equal(forward[0], PackedWindows(MemoryShards(500), 8, 3, 2).batch(0).tokens)


def test_isolated_documents_count_positions_anew():
    class Documents(MemoryShards):
        def read(self, start, stop):
            return self.ids[start:stop]

    batch = PackedWindows(Documents(50), 20, 2, seed=0, isolate=True).batch(0)
    assert batch.segments is not None
    for tokens, pos, segments in zip(batch.tokens, batch.pos, batch.segments, strict=True):
        for t in range(1, 20):
            ends = int(tokens[t]) == 0
            assert int(segments[t]) == int(segments[t - 1]) + ends
            assert int(pos[t]) == (0 if ends else int(pos[t - 1]) + 1)
