"""The clock of a sequence that goes on in chunks."""

import pytest
import torch

from hornbook.core.errors import HornbookError
from hornbook.nn.contract import State


def make(*length: int, capacity: int = 8) -> State:
    return State(torch.tensor(length), capacity, [{"sum": torch.ones(len(length), 2)}])


def test_each_row_goes_on_at_its_own_position():
    ctx = make(3, 5).context(2, None)
    assert ctx.pos.tolist() == [[3, 4], [5, 6]]
    assert ctx.reach == 7
    assert ctx.mask.causal


def test_the_clock_moves_by_one_number_or_one_for_each_row():
    state = make(3, 5)
    state.advance(2)
    state.advance(torch.tensor([0, 1]))
    assert state.length.tolist() == [5, 8]


def test_the_last_token_fits_and_one_more_is_an_error_with_both_numbers():
    state = make(3, 5)
    state.context(3, None)
    with pytest.raises(HornbookError, match=r"8 tokens; 9 are needed"):
        state.context(4, None)
    assert state.length.tolist() == [3, 5]


def test_a_snapshot_does_not_move():
    state = make(3, 5)
    kept = state.snapshot()
    state.advance(1)
    state.clear(torch.tensor([0]))
    assert kept.length.tolist() == [3, 5]
    assert kept.caches[0]["sum"].tolist() == [[1, 1], [1, 1]]
    assert state.length.tolist() == [0, 6]
    assert state.caches[0]["sum"].tolist() == [[0, 0], [1, 1]]


def test_rows_follow_others_that_share_their_memory():
    caches = [{"key": torch.arange(4.0)[:, None], "memory": torch.arange(4.0)[:, None]}]
    state = State(torch.tensor([1, 2, 3, 4]), 9, caches, [frozenset({"memory"})])
    state.follow(torch.tensor([1, 1, 2, 0]))
    assert state.length.tolist() == [2, 2, 3, 1]
    assert state.caches[0]["key"][:, 0].tolist() == [1, 1, 2, 0]
    assert state.caches[0]["memory"][:, 0].tolist() == [0, 1, 2, 3]
    taken = state.take(torch.tensor([3]))
    assert taken.remembered == state.remembered
    assert taken.caches[0]["memory"].item() == 3


def test_rows_follow_others_without_a_memory():
    state = make(3, 5)
    state.caches[0]["sum"] = torch.tensor([[1.0], [2.0]])
    state.follow(torch.tensor([1, 1]))
    assert state.length.tolist() == [5, 5]
    assert state.caches[0]["sum"].tolist() == [[2], [2]]


def test_a_view_shares_the_memory_of_its_rows_alone():
    state = make(3, 5, 1)
    view = state.view(1, 2)
    view.advance(2)
    view.caches[0]["sum"] += 4
    assert state.length.tolist() == [3, 7, 1]
    assert state.caches[0]["sum"][:, 0].tolist() == [1, 5, 1]
    assert (view.capacity, view.positional) == (state.capacity, state.positional)


def test_rows_without_a_valid_token_do_not_count_as_used():
    valid = torch.tensor([[True, False], [False, False]])
    assert make(3, 5).context(2, valid).reach == 5
    assert make(3, 5).context(2, ~valid).reach == 7
    with pytest.raises(HornbookError, match="9 are needed"):  # but their padding needs a place
        make(3, 7).context(2, valid)


def test_a_row_is_cut_to_a_prefix_where_entries_are_those_of_positions():
    caches = [{"key": torch.ones(2, 8), "memory": torch.ones(2, 1)}, {}]
    names = [frozenset({"key"}), frozenset()], [frozenset({"memory"}), frozenset()]
    state = State(torch.tensor([3, 5]), 8, caches, remembered=names[1], positional=names[0])
    assert state.cuttable
    state.cut(1, 2)
    assert state.length.tolist() == [3, 2]
    state.cut(0, 0)
    assert state.length.tolist() == [0, 2]
    assert caches[0]["key"].eq(1).all()  # hidden by the clock
    assert caches[0]["memory"].tolist() == [[0], [1]]
    with pytest.raises(AssertionError):
        state.cut(1, 3)


def test_a_recurrent_row_is_kept_whole_or_not_at_all():
    state = make(3, 5)
    assert not state.cuttable
    state.cut(1, 5)
    with pytest.raises(AssertionError, match="all tokens"):
        state.cut(1, 4)
    state.cut(0, 0)
    assert state.length.tolist() == [0, 5]
    assert state.caches[0]["sum"].tolist() == [[0, 0], [1, 1]]
