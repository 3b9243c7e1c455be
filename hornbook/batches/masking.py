"""Masked words: windows in which some tokens are hidden and are to be filled in.

Of 15 % of the tokens, 80 % become the mask, 10 % another token and 10 % stay (Devlin et al. 2019);
each step draws anew (Liu et al. 2019), from (seed, step) only.
"""

from typing import NamedTuple, Protocol

import numpy as np
import torch

from hornbook.batches.batch import IGNORE, Batch

SHARE, MASKED, REPLACED = 0.15, 0.8, 0.1


class Windows(Protocol):
    """What is masked: `PackedWindows`, or whatever gives the batch of any step."""

    def batch(self, step: int) -> Batch: ...


class WordBoundaries(NamedTuple):
    """(V,) bool each: tokens that go on with a word, and tokens after which a word may go on."""

    going_on: np.ndarray
    open_ended: np.ndarray


class MaskedWindows:
    """Batches with hidden tokens; targets are what was there, and IGNORE elsewhere.

    ordinary: (N,) the ids that text can have; others are never hidden and replace none. words: with
    it whole words are hidden, or none of their tokens.
    """

    def __init__(
        self,
        windows: Windows,
        ordinary: np.ndarray,
        mask_id: int,
        seed: int,
        words: WordBoundaries | None = None,
    ) -> None:
        self.windows, self.ordinary, self.mask_id = windows, np.asarray(ordinary), mask_id
        self.seed, self.words = seed, words

    def batch(self, step: int) -> Batch:
        """The batch of optimiser step `step`."""
        plain = self.windows.batch(step)
        # The windows' targets are the next tokens; where those are not trained, a window runs past
        # the end of its epoch, and its tokens are seen elsewhere.
        new = (plain.targets != IGNORE).numpy()
        segments = None if plain.segments is None else plain.segments.numpy()
        tokens, targets = self._hide(plain.tokens.numpy(), new, segments, step)
        return plain._replace(tokens=torch.from_numpy(tokens), targets=torch.from_numpy(targets))

    def _hide(
        self, tokens: np.ndarray, new: np.ndarray, segments: np.ndarray | None, step: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets, (B, T) each."""
        draw = np.random.default_rng([self.seed, step])
        word = self._word_numbers(tokens, segments)
        chosen = (draw.random(tokens.size) < SHARE)[word]  # one draw a word
        chosen &= np.isin(tokens, self.ordinary) & new
        fate = draw.random(tokens.shape)
        other = draw.choice(self.ordinary, tokens.shape)
        hidden = np.where(fate < MASKED, self.mask_id, tokens)
        replaced = (fate >= MASKED) & (fate < MASKED + REPLACED)
        hidden = np.where(replaced, other, hidden)
        return np.where(chosen, hidden, tokens), np.where(chosen, tokens, IGNORE)

    def _word_numbers(self, tokens: np.ndarray, segments: np.ndarray | None) -> np.ndarray:
        """(B, T) the number of each token's word in the batch; without words every token's own."""
        begins = np.ones(tokens.shape, bool)
        if self.words is not None:
            inside = self.words.going_on[tokens[:, 1:]] & self.words.open_ended[tokens[:, :-1]]
            if segments is not None:
                inside &= segments[:, 1:] == segments[:, :-1]
            begins[:, 1:] = ~inside
        return begins.ravel().cumsum().reshape(tokens.shape) - 1
