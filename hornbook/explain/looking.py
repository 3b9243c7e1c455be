"""What attention looked at: the weights of each layer, and what they say of the input's pieces."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.explain.explained import Explained
from hornbook.nn.attend import DotProductAttention


@contextlib.contextmanager
def watched(part: nn.Module) -> Iterator[list[Tensor]]:
    """The attention weights that are computed inside, in order, each (B, H, T, S)."""
    seen: list[Tensor] = []

    def note(module: nn.Module, inputs: Any, made: Tensor) -> None:
        q, k, v, mask = inputs
        # The weights are what attention makes of the rows of the identity.
        one = torch.eye(k.shape[2], dtype=v.dtype, device=v.device).expand(*k.shape[:3], -1)
        with torch.enable_grad():  # by the kernels that take values of any width
            seen.append(module.forward(q.detach(), k.detach(), one, mask).detach())

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
    attention, and over all of them ("rollout", Abnar & Zuidema 2020). Nothing without attention.
    """
    with watched(explained.stack) as seen:
        explained.logits(explained.everything())
    weights = [each[0].double().mean(0) for each in seen if each.shape[2] == each.shape[3]]
    if not weights:
        return {}
    flow = torch.eye(len(weights[0]), dtype=torch.float64, device=weights[0].device)
    for each in weights:  # half of what a layer passes on is what came in
        flow = (each + torch.eye(len(each), dtype=each.dtype, device=each.device)) / 2 @ flow
    found = {"attention": weights[-1], "rollout": flow}
    return {
        name: rows[explained.reads].mean(0)[explained.places].cpu().numpy()
        for name, rows in found.items()
    }
