"""Muon (Jordan 2024): momentum whose matrices are made orthogonal before they are applied.

Every hidden matrix moves by an update with all singular values near one, so no direction is
starved. In bfloat16 on the CPU our own kernels move them (`kernels.muon`); by torch, matrices of
one shape are treated in one batch.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hornbook.kernels.muon import MovedMatrix, move
from hornbook.nn.training_kernels import needed_kernels, training_kernels

# Quintic coefficients of each iteration, fitted to drive singular values to 1 in five steps
# ("Polar Express", Amsel et al. 2025, table for lower bound 1e-3, slightly damped for safety).
_COEFFICIENTS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
    (3.285753657755655, -2.3681294933425376, 0.46449024233003106),
    (2.3465413258596377, -1.7097828382687081, 0.42323551169305323),
)


def orthogonalise(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """Nearest (semi-)orthogonal matrices to (N, R, C), up to singular values near 1, in `dtype`."""
    x = matrices.to(dtype)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) * 1.02 + 1e-6)
    for a, b, c in _COEFFICIENTS:
        gram = x @ x.mT
        x = a * x + torch.baddbmm(gram, gram, gram, beta=b, alpha=c) @ x
    y: Tensor = x.mT if tall else x
    return y.to(matrices.dtype)


Orthogonal = Callable[[Sequence[Tensor], torch.dtype], Sequence[Tensor]]
"""Makes matrices of one shape (R, C) orthogonal, computed in a number type."""


def orthogonalised(matrices: Sequence[Tensor], dtype: torch.dtype) -> Sequence[Tensor]:
    """All of them at once, here."""
    return orthogonalise(torch.stack(list(matrices)), dtype).unbind()


class Muon(torch.optim.Optimizer):
    """For matrices (R, C). An update has singular values near lr * sqrt(max(1, R/C)).

    momentum: of the running sum of gradients, with Nesterov's look-ahead. weight_decay is
    decoupled. dtype: what the orthogonalisation is computed in. orthogonal: where it is computed,
    here unless several processes share it.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float,
        weight_decay: float,
        dtype: torch.dtype,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype
        self.orthogonal: Orthogonal = orthogonalised

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights and self._by_kernel(weights):
                self._move(weights, group)
                continue
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for weight in weights:
                alike[weight.shape].append(weight)
            for shape, weights in alike.items():
                self._step_alike(weights, shape, group)

    def _by_kernel(self, weights: Sequence[Tensor]) -> bool:
        """Whether our own kernels move these weights."""
        return (
            self.dtype == torch.bfloat16
            and self.orthogonal is orthogonalised
            and all(w.device.type == "cpu" and w.dtype == torch.float32 for w in weights)
            and all(w.is_contiguous() for w in weights)
            and training_kernels() is not None
        )

    def _move(self, weights: Sequence[Tensor], group: dict[str, Any]) -> None:
        matrices = [
            MovedMatrix(w.detach().numpy(), self._buffer(w).numpy(), w.grad.contiguous().numpy())
            for w in weights
            if w.grad is not None
        ]
        move(
            needed_kernels(),
            matrices,
            np.array(_COEFFICIENTS, np.float32),
            momentum=group["momentum"],
            kept=1 - group["lr"] * group["weight_decay"],
            rate=group["lr"],
        )

    def _step_alike(self, weights: list[Tensor], shape: torch.Size, group: dict[str, Any]) -> None:
        momentum = group["momentum"]
        buffers = [self._buffer(weight) for weight in weights]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        ahead = torch._foreach_lerp(gradients, buffers, momentum)
        updates = self.orthogonal(ahead, self.dtype)
        size = group["lr"] * math.sqrt(max(1.0, shape[0] / shape[1]))
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(weights, list(updates), alpha=-size)

    def _buffer(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        buffer: Tensor = state["momentum"]
        return buffer
