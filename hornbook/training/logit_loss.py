"""Losses of a few rows of logits and their gradient: by our own kernels in bfloat16, else by torch.

The kernels read each logit once and write its gradient in its place; torch goes over float32 copies
six times.
"""

import torch
from torch import Tensor

from hornbook.batches.batch import IGNORE
from hornbook.kernels.loss import cross_entropy
from hornbook.nn.training_kernels import floats, training_kernels


def judge(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    smoothing: float,
    cap: float | None,
) -> tuple[Tensor, Tensor]:
    """What a head (V, D) makes of x (N, D) against targets (N,): the loss sum in nats, and the
    gradient of the logits before bias and cap, (N, V) in x's type.

    smoothing: the share of each target spread over all tokens (Szegedy et al. 2016, 7).
    """
    if by_kernel(x):
        made = x @ weight.T
        return kernel_losses(made, bias, targets, smoothing, cap).sum(), made
    logits = logits_of(x, weight, bias, cap)
    logs = logits.log_softmax(1)
    loss = _smooth(losses_of(logs, targets), logs, targets, smoothing).sum()
    gradient = _logit_gradient(logs, targets, smoothing)
    if cap is not None:  # how steep the cap is there
        gradient *= logits.div_(cap).square_().neg_().add_(1)
    return loss, gradient.to(x.dtype)


def by_kernel(x: Tensor) -> bool:
    """Whether the kernels judge what is made of x."""
    short = x.dtype == torch.bfloat16 and x.device.type == "cpu"
    return short and training_kernels() is not None


def kernel_losses(
    logits: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float, cap: float | None
) -> Tensor:
    """The loss of each row of logits (N, V) before bias and cap, (N,) float32; the logits become
    the gradient of their sum. Only where the kernels judge."""
    library = training_kernels()
    assert library is not None
    added = None if bias is None else floats(bias)
    bits = logits.detach().view(torch.uint16).numpy()
    return torch.from_numpy(cross_entropy(library, bits, targets.numpy(), added, smoothing, cap))


def logits_of(x: Tensor, weight: Tensor, bias: Tensor | None, cap: float | None) -> Tensor:
    """x W^T + b, (N, V) float32, or float64 where x is; capped where there is a cap."""
    logits = x @ weight.T
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    logits = logits if bias is None else logits.add_(bias)
    return logits if cap is None else logits.div_(cap).tanh_().mul_(cap)


def losses_of(logs: Tensor, targets: Tensor) -> Tensor:
    """-log p(target) of each row, 0 for IGNORE."""
    return -logs.gather(1, targets.clamp(min=0)[:, None])[:, 0] * (targets != IGNORE)


def _smooth(losses: Tensor, logs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """The losses with a share of each target spread over all tokens."""
    if not smoothing:
        return losses
    return (1 - smoothing) * losses - smoothing * logs.mean(1) * (targets != IGNORE)


def _logit_gradient(logs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """softmax(logits) - the wanted distribution, 0 for ignored rows; overwrites `logs`."""
    trained = targets != IGNORE
    delta = logs.exp_()
    if smoothing:
        delta -= smoothing / delta.shape[1]
    wanted = torch.full_like(delta[:, :1], smoothing - 1.0)
    delta.scatter_add_(1, targets.clamp(min=0)[:, None], wanted)
    return delta if bool(trained.all()) else delta.mul_(trained[:, None])
