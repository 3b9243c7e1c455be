"""The layers of a model as units of work: to be computed again for their gradient, or in parts."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from hornbook.nn.stack import Stack


def layers_of(model: nn.Module) -> Iterator[nn.Module]:
    """The layers of all stacks of a model."""
    for module in model.modules():
        if isinstance(module, Stack):
            yield from module.layers


def recompute_layers(model: nn.Module) -> None:
    """Keep of each layer its input alone, and compute the rest again when its gradient is asked for
    (Chen et al. 2016): a third more work, and memory for one layer instead of all.

    Results are the same to the bit; random numbers too.
    """
    for layer in layers_of(model):
        layer.forward = _Recomputed(layer.forward)


class _Recomputed:
    """A layer's forward. No function, so that a copy of the layer computes with its own weights."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self._forward = forward

    def __call__(self, *given: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return self._forward(*given, **named)
        return checkpoint(self._forward, *given, use_reentrant=False, **named)
