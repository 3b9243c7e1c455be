"""The kernel arguments of a mask against its definition, position by position."""

import itertools

import pytest
import torch

from hornbook.nn.contract import Mask
from hornbook.nn.masks import cached_attention_mask, self_attention_mask

TIME = 5
VALID = torch.tensor([[0, 1, 1, 0, 1], [1, 1, 1, 1, 0]]).bool()
SEGMENTS = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 2, 2]])


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("valid", [None, VALID])
@pytest.mark.parametrize("segments", [None, SEGMENTS])
def test_a_token_sees_what_the_meaning_says_and_always_itself(causal, valid, segments):
    made = self_attention_mask(Mask(causal, valid, segments), TIME)["attn_mask"]
    if valid is None and segments is None:
        assert made is None
        return
    assert made is not None
    made = made.expand(2, 1, TIME, TIME)
    assert bool(made.any(-1).all()), "a softmax over nothing"
    same = segments is None and not causal  # all queries of a row see the same
    for row, query, key in itertools.product(range(2), range(TIME), range(TIME)):
        if same and not bool(VALID[row, query]):
            continue
        seen = query == key or (
            (key <= query or not causal)
            and (valid is None or bool(valid[row, key]))
            and (segments is None or bool(segments[row, query] == segments[row, key]))
        )
        assert bool(made[row, 0, query, key]) == seen


def test_a_row_without_a_valid_token_sees_itself_and_changes_no_other():
    valid = torch.tensor([[False] * TIME, [True] * 3 + [False] * 2])
    made = self_attention_mask(Mask(False, valid), TIME)["attn_mask"]
    assert made is not None and made[:, 0, 0].tolist() == [[True] * TIME, valid[1].tolist()]


def test_the_plain_cases_take_the_kernel_s_own_causality():
    assert self_attention_mask(Mask(True), TIME) == {"attn_mask": None, "is_causal": True}
    assert self_attention_mask(Mask(False), TIME) == {"attn_mask": None, "is_causal": False}


def test_a_cache_is_seen_up_to_the_query_s_position():
    pos = torch.tensor([[2, 3], [0, 1]])
    made = cached_attention_mask(Mask(True), pos, keys=5)["attn_mask"]
    assert made is not None
    assert made[:, 0].int().tolist() == [
        [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]],
        [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]],
    ]
