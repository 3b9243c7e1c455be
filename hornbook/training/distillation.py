"""Distillation: a student learns what a teacher expects, of given text and of its own.

Of given text: the cross-entropy of the data beside the divergence from the teacher's distribution
(Hinton et al. 2015), of which the likeliest tokens were stored, and all others are one event.
Without that event a student would learn that what was cut off cannot come (Anshumann et al. 2025).
Of its own text: the generalised Jensen-Shannon divergence on what it wrote itself (Agarwal et al.
2024, eq. 1; at its one end the reverse divergence of Gu et al. 2024, MiniLLM). What was written is
given: no gradient goes through the drawing of it.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hornbook.batches.batch import IGNORE, Batch
from hornbook.batches.taught import Expected, TaughtBatch
from hornbook.models.causal_lm import CausalLM
from hornbook.nn.contract import Context, Mask
from hornbook.nn.head import cap_of
from hornbook.training.logit_loss import by_kernel, kernel_losses, logits_of, losses_of
from hornbook.training.objective import Objective, answer_token, chunks, linear_loss, short

LEAST_LOG = -30.0
"""What a logarithm of a probability is at least: e^-30 is nothing, and a number in 16 bits."""
_LEAST_REST = 1e-6
"""Of the probability of all other tokens, by our kernels: less cannot be told in float32."""


class Teaching(NamedTuple):
    """How much counts what a teacher says. weight: of the divergence from what it expects, 0 to 1;
    the rest is that of the data. temperature: of both distributions (Hinton et al. 2015, 2).
    divergence: of own text, 0 for KL(teacher || student), 1 for KL(student || teacher), between
    them the generalised Jensen-Shannon divergence."""

    weight: float
    temperature: float
    divergence: float


def distil(teaching: Teaching, teacher: CausalLM | None, vocab: int) -> Objective:
    """The objective of both phases, a sum over targets in nats. vocab: ids that the tokenizer has;
    what lies behind them in a head stands for nothing."""

    def objective(model: nn.Module, batch: TaughtBatch) -> tuple[Tensor, int]:
        assert isinstance(model, CausalLM)
        if batch.written is not None:
            assert teacher is not None
            return own_text(model, teacher, batch.written, teaching.divergence, vocab)
        assert batch.given is not None
        if batch.expected is None:
            return answer_token(model, batch.given)
        return given_text(model, batch.given, batch.expected, teaching)

    return objective


def given_text(
    model: CausalLM, batch: Batch, expected: Expected, teaching: Teaching
) -> tuple[Tensor, int]:
    """(1 - w) of the cross-entropy and w T^2 of the divergence, by the temperature T."""
    trained = batch.targets != IGNORE
    x, targets = _features(model, batch)[trained], batch.targets[trained]
    head, cap = model.head, cap_of(model.head)

    def judged(part: slice, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        there = Expected(expected.ids[part], expected.logs[part])
        if by_kernel(x) and teaching.temperature == 1:
            return _judge_by_kernel(x, weight, (head.bias, cap), targets[part], there, teaching)
        logits = logits_of(x, weight, head.bias, cap)
        loss, gradient = expected_loss(logits, targets[part], there, teaching)
        return loss, _through_cap(gradient, logits, cap).to(x.dtype)

    return linear_loss(x, head, judged), len(targets)


def expected_loss(
    logits: Tensor, targets: Tensor, expected: Expected, teaching: Teaching
) -> tuple[Tensor, Tensor]:
    """The loss sum of logits (N, V) against targets (N,) and what a teacher expects, and its
    gradient (N, V).

    With q the student's probabilities and p the teacher's, r that of all other tokens, the
    divergence is sum p_k log(p_k / q_k) + p_r log(p_r / q_r), and its gradient q - t, where t is
    p_k for the likeliest tokens and q scaled to p_r for all others.
    """
    weight, heat = teaching.weight, teaching.temperature
    logs = logits.log_softmax(1)
    loss = (1 - weight) * losses_of(logs, targets).sum()
    gradient = logs.exp()
    gradient.scatter_add_(1, targets[:, None], -torch.ones_like(gradient[:, :1]))
    gradient *= 1 - weight
    warm = logs if heat == 1 else (logits / heat).log_softmax(1)
    ids, sure = expected.ids, expected.logs.to(warm.dtype)
    p, own = sure.exp(), warm.gather(1, ids)
    rest = warm.scatter(1, ids, -torch.inf).logsumexp(1).clamp(min=LEAST_LOG)
    divergence = (p * (sure - torch.cat([own, rest[:, None]], 1))).sum()
    q = warm.exp()
    t = q * (sure[:, -1] - rest).exp()[:, None]
    t.scatter_(1, ids, p[:, :-1])
    gradient += weight * heat * (q - t)
    return loss + weight * heat**2 * divergence, gradient


def _judge_by_kernel(
    x: Tensor,
    weight: Tensor,
    head: tuple[Tensor | None, float | None],
    targets: Tensor,
    expected: Expected,
    teaching: Teaching,
) -> tuple[Tensor, Tensor]:
    """The same of x (N, D), where our kernels make the gradient q - [target] of the logits in their
    place: all but the likeliest tokens and the target then only want a factor."""
    bias, cap = head
    ids, sure, w = expected.ids, expected.logs, teaching.weight
    logits = x @ weight.T
    picked = torch.cat([ids, targets[:, None]], 1)
    shown = logits.gather(1, picked).float()
    shown = shown if bias is None else shown + bias[picked]
    slope = 1.0 if cap is None else 1 - (shown / cap).tanh().square()
    shown = shown if cap is None else (shown / cap).tanh() * cap
    losses = kernel_losses(logits, bias, targets, 0.0, cap)
    logs = shown - (losses + shown[:, -1])[:, None]
    q, p = logs.exp(), sure.exp()
    rest = (1 - q[:, :-1].sum(1)).clamp(min=_LEAST_REST)
    divergence = p[:, :-1] * (sure[:, :-1] - logs[:, :-1])
    remaining = p[:, -1] * (sure[:, -1] - rest.log())
    factor = (1 - w * p[:, -1] / rest)[:, None]
    logits *= factor.to(logits.dtype)
    hit = (1 - w) * (picked == targets[:, None])
    q[:, :-1] -= w * p[:, :-1]
    q[:, -1:] *= factor
    new = ((q - hit) * slope).to(logits.dtype)
    # The target may be one of the likeliest: those are written last.
    logits.scatter_(1, targets[:, None], new[:, -1:]).scatter_(1, ids, new[:, :-1])
    loss = (1 - w) * losses.sum() + w * (divergence.sum() + remaining.sum())
    return loss, logits


def own_text(
    model: CausalLM, teacher: CausalLM, batch: Batch, divergence: float, vocab: int
) -> tuple[Tensor, int]:
    """The divergence of student and teacher at each token that the student wrote."""
    written = batch.targets != IGNORE
    x = _features(model, batch)[written]
    with torch.no_grad():
        wise = _features(teacher, batch)[written]
    head, cap = model.head, cap_of(model.head)

    def judged(part: slice, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        logits = logits_of(x, weight, head.bias, cap)
        loss, gradient = jensen_shannon(
            logits[:, :vocab].log_softmax(1), log_shares(teacher, wise[part], vocab), divergence
        )
        full = torch.zeros_like(logits)
        full[:, :vocab] = gradient
        return loss.sum(), _through_cap(full, logits, cap).to(x.dtype)

    return linear_loss(x, head, judged), len(x)


def jensen_shannon(q: Tensor, p: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """The generalised Jensen-Shannon divergence of each row, (N,), and its gradient by the logits
    of q, (N, V). q, p: (N, V) log-probabilities of student and teacher.

    beta KL(p || m) + (1 - beta) KL(q || m) with m = beta p + (1 - beta) q; where beta is 0, what it
    goes to when divided by beta, KL(p || q); where it is 1, in the same way KL(q || p).
    """
    if beta == 0:
        return (p.exp() * (p - q)).sum(1), q.exp() - p.exp()
    share = q.exp()
    if beta == 1:
        slope = q - p
        loss = (share * slope).sum(1)
        return loss, share * (slope - loss[:, None])
    m = torch.logaddexp(p + np.log(beta), q + np.log1p(-beta))
    own = (share * (q - m)).sum(1)
    loss = beta * (p.exp() * (p - m)).sum(1) + (1 - beta) * own
    return loss, (1 - beta) * share * (q - m - own[:, None])


@torch.no_grad()
def divergences(
    student: CausalLM, teacher: CausalLM, batch: Batch, vocab: int
) -> tuple[list[float], list[float]]:
    """KL(student || teacher) of each row in nats, the sum over what the student wrote in it, and
    how many tokens that is."""
    written = batch.targets != IGNORE
    own, wise = (_features(model, batch)[written] for model in (student, teacher))
    parts = []
    for part in chunks(len(own), vocab):
        both = log_shares(student, own[part], vocab), log_shares(teacher, wise[part], vocab)
        parts.append(jensen_shannon(*both, 1)[0])
    rows = written.nonzero()[:, 0].cpu()
    sums = torch.zeros(len(written)).double().index_add(0, rows, torch.cat(parts).double().cpu())
    return sums.tolist(), written.sum(1).double().tolist()


@torch.no_grad()
def log_shares(model: CausalLM, x: Tensor, vocab: int, temperature: float = 1.0) -> Tensor:
    """What a model's head makes of features (N, D): log-probabilities of the tokenizer's ids,
    (N, vocab)."""
    head, x, weight = model.head, short(x), short(model.head.weight)
    with torch.autocast(x.device.type, enabled=False):
        logits = logits_of(x, weight, head.bias, cap_of(head))[:, :vocab]
    return (logits / temperature).log_softmax(1)


@torch.no_grad()
def expectations(
    teacher: CausalLM, batch: Batch, count: int, vocab: int, temperature: float
) -> Expected:
    """What a teacher expects at the trained targets of a batch, row by row: `count` tokens."""
    x = _features(teacher, batch)[batch.targets != IGNORE]
    ids, logs = [], []
    for part in chunks(len(x), vocab):
        every = log_shares(teacher, x[part], vocab, temperature)
        best = every.topk(count, 1)
        rest = every.scatter(1, best.indices, -torch.inf).logsumexp(1, keepdim=True)
        ids.append(best.indices)
        logs.append(torch.cat([best.values, rest], 1).clamp(min=LEAST_LOG))
    return Expected(torch.cat(ids), torch.cat(logs))


def _features(model: CausalLM, batch: Batch) -> Tensor:
    """(B, T, D)"""
    mask = Mask(causal=True, segments=batch.segments)
    return model.features(batch.tokens, Context(batch.pos, mask))


def _through_cap(gradient: Tensor, logits: Tensor, cap: float | None) -> Tensor:
    """The gradient before a cap, of logits behind it."""
    return gradient if cap is None else gradient * (1 - (logits / cap).square())
