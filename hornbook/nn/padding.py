"""Sequences of different lengths side by side."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def padded(sequences: Sequence[np.ndarray], padding: int) -> tuple[Tensor, Tensor]:
    """tokens (B, T) int64, filled up on the right, and valid (B, T) bool, True = real."""
    longest = max(1, *(len(ids) for ids in sequences))
    tokens = torch.full((len(sequences), longest), padding)
    valid = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, ids in enumerate(sequences):
        tokens[row, : len(ids)] = torch.from_numpy(ids.astype(np.int64, copy=False))
        valid[row, : len(ids)] = True
    return tokens, valid
