"""How much each piece of an input counts for what a model says: by hiding it, and by gradients.

Which of these to believe is not decided here but by a test (`deletion`).
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.core.progress import Advance
from hornbook.explain.explained import Explained


def by_hiding(explained: Explained, advance: Advance = lambda amount: None) -> np.ndarray:
    """By how much the log-probability of each target falls when a piece is hidden, (N, K) nats."""
    size = explained.size
    kept = np.concatenate([np.ones((1, size), bool), ~np.eye(size, dtype=bool)])
    found = explained.log_probabilities(kept, advance)
    fall: np.ndarray = found[:1] - found[1:]
    return fall


def by_gradient(explained: Explained) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of the targets' log-probability by the vector of each piece: its norm (Simonyan
    et al. 2013) and its product with the vector (Shrikumar et al. 2017), each (N,)."""
    with _vectors(explained.embedding) as seen, torch.enable_grad():
        explained.of_targets(explained.logits(explained.everything())).sum().backward()
    vectors = seen[0]
    assert vectors.grad is not None
    own, slope = (x[0, explained.places].double() for x in (vectors.detach(), vectors.grad))
    return slope.norm(dim=-1).cpu().numpy(), (slope * own).sum(-1).cpu().numpy()


@contextlib.contextmanager
def _vectors(embedding: nn.Module) -> Iterator[list[Tensor]]:
    """The vectors that an embedding makes, each the beginning of a graph of its own."""
    seen: list[Tensor] = []

    def begin(module: nn.Module, inputs: tuple[Tensor, ...], made: Tensor) -> Tensor:
        seen.append(made.detach().requires_grad_())
        return seen[-1]

    hook = embedding.register_forward_hook(begin)
    try:
        yield seen
    finally:
        hook.remove()
