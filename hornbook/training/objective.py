"""What is minimised: the cross-entropy of tokens or labels, as a sum over the trained targets.

The head and the softmax are computed a few rows at a time, forward and gradient together, so that
the (B*T, V) logits are never stored.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.labelled import LabelledBatch
from hornbook.models.causal_lm import CausalLM
from hornbook.models.classifier import ClassifierHead, ClassifierNetwork
from hornbook.models.masked_lm import MaskedLM
from hornbook.nn.contract import Context, Mask
from hornbook.nn.head import cap_of
from hornbook.training.logit_loss import by_kernel, judge, logits_of, losses_of

# 256 rows of 8,192 float32 logits are 8 MiB: they stay in the cache between the passes over them,
# and the matrix products are still large enough to run at full speed (measured, docs/log.md).
_LOGITS_AT_ONCE = 2 * 2**20
_AS_MANY_BY_KERNEL = 4
"""Times as many where our kernels judge them: half the bytes each, gone over once."""


class Objective(Protocol):
    """(model, batch) -> (sum of the loss over valid targets in nats, their number).

    Each objective goes with the batches that it names.
    """

    def __call__(self, model: nn.Module, batch: Any) -> tuple[Tensor, int]: ...


def next_token(model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
    """The objective of decoders. Returns the loss sum (scalar, nats) and the trained targets."""
    assert isinstance(model, CausalLM)
    return linear_cross_entropy(_features(model, batch), model.head, batch.targets)


def answer_token(model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
    """`next_token` where few targets are trained: only those places go through the head."""
    assert isinstance(model, CausalLM)
    trained = batch.targets != IGNORE
    x, targets = _features(model, batch)[trained], batch.targets[trained]
    return linear_cross_entropy(x[None], model.head, targets[None])


def masked_token(model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
    """The objective of encoders that fill in words. Only hidden places go through the head."""
    assert isinstance(model, MaskedLM)
    x, targets = masked_features(model, batch)
    return linear_cross_entropy(x[None], model.head, targets[None])


def masked_features(model: MaskedLM, batch: Batch) -> tuple[Tensor, Tensor]:
    """What the head reads at the hidden places, (N, D), and what was there, (N,)."""
    hidden = batch.targets != IGNORE
    ctx = Context(batch.pos, Mask(causal=False, segments=batch.segments))
    return model.transform(model.features(batch.tokens, ctx)[hidden]), batch.targets[hidden]


def class_label(model: nn.Module, batch: LabelledBatch) -> tuple[Tensor, int]:
    """The objective of classifiers, and of their tops on vectors."""
    assert isinstance(model, ClassifierNetwork | ClassifierHead)
    logits = model(batch.inputs, batch.valid)
    return F.cross_entropy(logits.float(), batch.labels, reduction="sum"), len(batch.labels)


@torch.no_grad()
def token_losses(model: nn.Module, batch: Batch) -> Tensor:
    """The loss of each target in nats, (B, T) float32; 0 where the target is IGNORE."""
    assert isinstance(model, CausalLM)
    return linear_losses(_features(model, batch), model.head, batch.targets)


@torch.no_grad()
def masked_losses(model: nn.Module, batch: Batch) -> Tensor:
    """The loss of each hidden token in nats, (B, T) float32; 0 elsewhere."""
    assert isinstance(model, MaskedLM)
    x, answers = masked_features(model, batch)
    losses = torch.zeros(batch.targets.shape, device=x.device)
    losses[batch.targets != IGNORE] = linear_losses(x[None], model.head, answers[None])[0]
    return losses


def _features(model: CausalLM, batch: Batch) -> Tensor:
    """(B, T, D)"""
    mask = Mask(causal=True, segments=batch.segments)
    return model.features(batch.tokens, Context(batch.pos, mask))


def linear_cross_entropy(
    x: Tensor, head: nn.Linear, targets: Tensor, smoothing: float = 0.0
) -> tuple[Tensor, int]:
    """What a head makes of x (B, T, D) against targets (B, T): the loss sum and their number.

    smoothing: the share of each target spread over all tokens (Szegedy et al. 2016, 7).
    """
    rows, cap = targets.flatten(), cap_of(head)

    def judged(part: slice, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        return judge(x, weight, head.bias, rows[part], smoothing, cap)

    return linear_loss(x.flatten(0, 1), head, judged), int((rows != IGNORE).sum())


Judged = Callable[[slice, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(which rows, their x (n, D), the head's weight (V, D), both in the type of the products) -> (the
loss sum in nats, the gradient of the logits before bias and cap (n, V) in x's type)."""


def linear_loss(x: Tensor, head: nn.Linear, judged: Judged) -> Tensor:
    """The sum of what `judged` says of the logits that a head makes of x (N, D), a few rows at a
    time."""
    loss: Tensor = _LinearLoss.apply(  # type: ignore[no-untyped-call]
        x, head.weight, head.bias, judged
    )
    return loss


@torch.no_grad()
def linear_losses(x: Tensor, head: nn.Linear, targets: Tensor) -> Tensor:
    """The loss of each target (B, T) in nats, float32; 0 where it is IGNORE. x: (B, T, D)."""
    x, weight, bias, rows = (
        short(x.flatten(0, 1)),
        short(head.weight),
        head.bias,
        targets.flatten(),
    )
    losses = [
        losses_of(logits_of(x[chunk], weight, bias, cap_of(head)).log_softmax(1), rows[chunk])
        for chunk in chunks(len(x), len(weight))
    ]
    if not losses:  # a batch in which nothing is asked
        return torch.zeros_like(targets, dtype=torch.float32)
    return torch.cat(losses).view_as(targets)


class _LinearLoss(torch.autograd.Function):
    """A sum over rows of x W^T + b, with gradients made on the way forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, judged: Judged) -> Tensor:
        short_x, short_weight = short(x), short(weight)
        wide = torch.promote_types(x.dtype, torch.float32)
        total = torch.zeros((), dtype=wide, device=x.device)
        grad_x = torch.empty_like(short_x)
        # Of a frozen head nobody asks the gradient, which is a third of the work.
        grad_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        grad_bias = None if bias is None else torch.zeros_like(bias)
        with torch.autocast(x.device.type, enabled=False):
            for rows in chunks(
                len(x), len(weight), _AS_MANY_BY_KERNEL if by_kernel(short_x) else 1
            ):
                loss, delta = judged(rows, short_x[rows], short_weight)
                total += loss
                if grad_bias is not None:
                    grad_bias += delta.sum(0, dtype=grad_bias.dtype)
                torch.mm(delta, short_weight, out=grad_x[rows])
                if grad_weight is not None:
                    _accumulate(grad_weight, delta, short_x[rows])
        ctx.save_for_backward(grad_x.to(x.dtype), grad_weight, grad_bias)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_x, grad_weight, grad_bias = ctx.saved_tensors
        weight, bias = (g if g is None else g.mul_(grad) for g in (grad_weight, grad_bias))
        return grad_x.mul_(grad), weight, bias, None


def short(x: Tensor) -> Tensor:
    """x in the type that matrix products run in here: autocast's, when it is on."""
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x


def chunks(rows: int, vocab: int, times: int = 1) -> Iterator[slice]:
    """Rows whose logits are made at once."""
    size = max(1, times * _LOGITS_AT_ONCE // vocab)
    return (slice(start, start + size) for start in range(0, rows, size))


def _accumulate(total: Tensor, delta: Tensor, x: Tensor) -> None:
    """total += delta^T x, the sum kept in total's type."""
    if total.dtype == x.dtype:
        total.addmm_(delta.T, x)
    else:
        total += delta.T @ x
