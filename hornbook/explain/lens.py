"""The logit lens (nostalgebraist 2020): what a model would say without its later blocks."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.explain.explained import Explained
from hornbook.nn.stack import Stack


class BlockSays(NamedTuple):
    """After a block, from 1: the likeliest answer there with its probability, and the probability
    and the rank (from 1) of the target."""

    block: int
    best: int
    probability: float
    target_probability: float
    rank: int


@torch.no_grad()
def lens(explained: Explained, sizes: Sequence[int]) -> list[BlockSays]:
    """What the model's own norm and head make of the stream after each block of its stack.

    sizes: how many layers each block has. Of the first target alone.
    """
    with _one_block_a_row(explained.stack, sizes):
        logits = explained.logits(explained.everything(len(sizes)))[:, 0]
    shares = logits.double().softmax(-1).cpu().numpy()
    target = int(explained.targets[0])
    return [_says(number, row, target) for number, row in enumerate(shares, 1)]


def _says(number: int, shares: np.ndarray, target: int) -> BlockSays:
    best, own = int(shares.argmax()), float(shares[target])
    return BlockSays(number, best, float(shares[best]), own, 1 + int((shares > own).sum()))


@contextlib.contextmanager
def _one_block_a_row(stack: Stack, sizes: Sequence[int]) -> Iterator[None]:
    """Inside, row b of what the stack gives is what came out of block b: of as many rows as there
    are blocks, all the same."""
    rows: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, made: Tensor) -> None:
        rows.append(made[len(rows)])

    def hand_on(module: nn.Module, inputs: Any) -> tuple[Tensor]:
        return (torch.stack(rows),)

    ends = (np.cumsum(sizes) - 1).tolist()
    hooks = [stack.layers[end].register_forward_hook(keep) for end in ends]
    hooks.append(stack.norm.register_forward_pre_hook(hand_on))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
