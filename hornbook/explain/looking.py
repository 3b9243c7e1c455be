"""What attention looked at: the weights of each layer, and what they say of the input's pieces."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.explain.explained import Explained
from hornbook.nn.attend import DotProductAttention

_LONGEST = 2048
"""Positions. The weights of all layers of a longer text would not fit into a small memory."""


def mean_head(weights: Tensor) -> Tensor:
    """The first row of (B, H, T, S), mean of its heads: (T, S)."""
    return weights[0].mean(0)


@contextlib.contextmanager
def watched(
    part: nn.Module, keep: Callable[[Tensor], Tensor] = lambda weights: weights
) -> Iterator[list[Tensor]]:
    """The attention weights that are computed inside, in order: what `keep` makes of each
    (B, H, T, S)."""
    seen: list[Tensor] = []

    def note(module: nn.Module, inputs: Any, made: Tensor) -> None:
        q, k, v, mask = inputs
        # The weights are what attention makes of the rows of the identity.
        one = torch.eye(k.shape[2], dtype=v.dtype, device=v.device).expand(*k.shape[:3], -1)
        with torch.enable_grad():  # by the kernels that take values of any width
            seen.append(keep(module.forward(q.detach(), k.detach(), one, mask).detach()))

    looking = [each for each in part.modules() if isinstance(each, DotProductAttention)]
    hooks = [each.register_forward_hook(note) for each in looking]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def by_attention(explained: Explained) -> dict[str, np.ndarray]:
    """What the answer's position looks at, mean of all heads, (N,) each: in the last layer that has
    attention, and over all of them ("rollout", Abnar & Zuidema 2020). Nothing without attention,
    nor of a text of more than 2,048 tokens.
    """
    if explained.time > _LONGEST:
        return {}
    with watched(explained.stack, mean_head) as seen:
        explained.logits(explained.everything())
    if not seen:
        return {}
    same = torch.eye(len(seen[0]), dtype=torch.float64, device=seen[0].device)
    flow = same
    for each in seen:  # half of what a layer passes on is what came in
        flow = (each.double() + same) / 2 @ flow
    found = {"attention": seen[-1].double(), "rollout": flow}
    return {
        name: rows[explained.reads].mean(0)[explained.places].cpu().numpy()
        for name, rows in found.items()
    }
