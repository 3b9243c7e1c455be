"""Masked words: the shares of the paper, whole words, and a draw that depends on (seed, step)."""

import numpy as np
import pytest
import torch

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.masking import MaskedWindows, WordBoundaries

VOCAB, MASK = 200, 200
ORDINARY = np.arange(4, VOCAB)


class RandomWindows:
    def __init__(self, rows=64, time=128):
        self.rows, self.time = rows, time

    def batch(self, step):
        draw = torch.Generator().manual_seed(step)
        tokens = torch.randint(VOCAB, (self.rows, self.time), generator=draw)
        targets = tokens.clone()
        targets[0, 64:] = IGNORE  # runs past the end of the epoch
        return Batch(tokens, targets, torch.arange(self.time)[None])


def test_the_shares_are_those_of_the_paper():
    plain, hidden = RandomWindows().batch(0), None
    hidden = MaskedWindows(RandomWindows(), ORDINARY, MASK, seed=0).batch(0)
    chosen = hidden.targets != IGNORE
    assert bool((hidden.targets[chosen] == plain.tokens[chosen]).all())
    assert bool((hidden.tokens[~chosen] == plain.tokens[~chosen]).all())
    assert not bool(chosen[0, 64:].any())
    assert bool((plain.tokens[chosen] >= 4).all())
    n = int(chosen.sum())
    possible = int((plain.tokens >= 4).sum())
    assert n / possible == pytest.approx(0.15, abs=0.015)
    masked = int((hidden.tokens == MASK).sum()) / n
    kept = int((hidden.tokens[chosen] == plain.tokens[chosen]).sum()) / n
    assert masked == pytest.approx(0.8, abs=0.04)
    assert kept == pytest.approx(0.1, abs=0.03)


def test_another_mask_each_step_and_the_same_when_asked_again():
    first = MaskedWindows(RandomWindows(4), ORDINARY, MASK, seed=0)
    again = MaskedWindows(RandomWindows(4), ORDINARY, MASK, seed=0)
    forward = [first.batch(step).tokens for step in range(5)]
    backward = [again.batch(step).tokens for step in reversed(range(5))][::-1]
    assert all(map(torch.equal, forward, backward))
    other = MaskedWindows(RandomWindows(4), ORDINARY, MASK, seed=1).batch(0).tokens
    assert not torch.equal(forward[0], other)


def test_whole_words_are_hidden_or_none_of_them():
    going_on = np.zeros(VOCAB + 1, bool)
    going_on[100:] = True  # tokens from 100 on continue whatever comes before
    words = WordBoundaries(going_on, np.ones(VOCAB + 1, bool))
    windows = RandomWindows()
    tokens = windows.batch(3).tokens.numpy()
    chosen = (MaskedWindows(windows, ORDINARY, MASK, 0, words).batch(3).targets != IGNORE).numpy()
    inside = going_on[tokens[1:, 1:]] & (tokens[1:, :-1] >= 4) & (tokens[1:, 1:] >= 4)
    assert inside.sum() > 1000
    assert (chosen[1:, 1:] == chosen[1:, :-1])[inside].all()
    assert chosen.mean() == pytest.approx(0.15, abs=0.02)


def test_words_end_where_documents_do():
    words = WordBoundaries(np.ones(VOCAB + 1, bool), np.ones(VOCAB + 1, bool))
    masked = MaskedWindows(RandomWindows(), ORDINARY, MASK, 0, words)
    segments = np.array([[0, 0, 1, 1], [2, 2, 2, 2]])
    numbers = masked._word_numbers(np.full((2, 4), 9), segments)
    assert numbers.tolist() == [[0, 0, 1, 1], [2, 2, 2, 2]]
