"""A stand-in for token shards, and tiny training set-ups."""

import numpy as np
import pytest
import torch

from hornbook.batches.packing import PackedWindows
from hornbook.models.presets import qwen3
from hornbook.training.loop import LoopConfig
from hornbook.training.optimiser import Optimiser, OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.training.state import TrainState
from tests.tiny import decoder_sizes

VOCAB = 30


class MemoryShards:
    """What packing and validation see of TokenShards."""

    def __init__(self, ids, eos=0):
        self.ids, self.eos = np.asarray(ids, np.uint16), eos
        self.tokens = len(self.ids)

    def read(self, start, stop):
        return self.ids[start:stop]


@pytest.fixture
def shards():
    draw = np.random.default_rng(0)
    return MemoryShards(np.append(draw.integers(1, VOCAB, 998), 0))


@pytest.fixture
def start(shards):
    """A function that makes a fresh (state, batches, loop config)."""

    def make(steps=10, dtype="float32", micro_rows=4):
        sizes = decoder_sizes(vocab=VOCAB, context=16)
        model = qwen3(sizes).build(seed=1)
        state = TrainState(model, Optimiser(model, OptimiserConfig(), getattr(torch, dtype)))
        loop = LoopConfig(
            steps=steps, micro_rows=micro_rows, schedule=ScheduleConfig(), device="cpu", dtype=dtype
        )
        return state, PackedWindows(shards, 16, 4, seed=0), loop

    return make
