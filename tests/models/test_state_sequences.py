"""Sequences of a model on one state: rows beside each other in any call, and their limits."""

import numpy as np
import pytest
import torch

from hornbook.core.errors import HornbookError
from hornbook.models.presets import PRESETS
from tests.tiny import decoder_sizes, loud

ROOM = 40
NAMES = ("qwen3", "gpt2", "mamba2", "lfm2-conv", "qwen3.5", "qwen3-moe", "lstm")
IDS = torch.randint(50, (4, ROOM), generator=torch.Generator().manual_seed(1)).tolist()


def made(name):
    sizes = decoder_sizes(context=ROOM)
    return loud(PRESETS[name](sizes).build(seed=1).eval())


def alone(model, ids):
    return model.sequences(1).check(0, ids)[-1]


def same(one, other):
    np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_long_row_and_a_long_prompt_fit_beside_each_other(name):
    """30 tokens held and 35 new ones in the next row are within 40, though 30 + 35 are not."""
    model = made(name)
    sequences = model.sequences(3)
    sequences.go_on({0: IDS[0][:30]})
    found = sequences.go_on({0: IDS[0][30:33], 1: IDS[1][:35], 2: IDS[2][:1]})
    for row, count in ((0, 33), (1, 35), (2, 1)):
        same(found[row], alone(model, IDS[row][:count]))


@pytest.mark.parametrize("name", NAMES)
def test_rows_that_are_left_go_on_under_their_numbers(name):
    model = made(name)
    sequences = model.sequences(4)
    sequences.go_on({row: IDS[row][: 3 + row] for row in range(4)})
    sequences.drop([0, 2])
    found = sequences.go_on({3: IDS[3][6:9], 1: [IDS[1][4]]})
    same(found[3], alone(model, IDS[3][:9]))
    same(found[1], alone(model, IDS[1][:5]))


def test_a_row_that_would_outgrow_its_room_changes_nothing():
    model = made("qwen3")
    sequences = model.sequences(2, capacity=10)
    sequences.go_on({0: IDS[0][:4], 1: IDS[1][:8]})
    with pytest.raises(HornbookError, match="holds 10 tokens; 11 are needed"):
        sequences.go_on({0: IDS[0][4:5], 1: IDS[1][8:11]})
    same(sequences.go_on({0: IDS[0][4:5]})[0], alone(model, IDS[0][:5]))
