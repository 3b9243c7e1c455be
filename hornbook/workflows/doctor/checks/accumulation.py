"""Gradients: the same however a step is cut, and one for every weight that may move."""

from typing import Any

import torch

from hornbook.batches.questions import QuestionBatch
from hornbook.batches.rollouts import RolloutBatch
from hornbook.training.checkpoint import trainable
from hornbook.training.loop import gradient
from hornbook.training.problem import Problem
from hornbook.workflows.doctor.diagnosis import (
    Diagnosis,
    beside_the_point,
    check,
    doubtful,
    faulty,
    sound,
)
from hornbook.workflows.doctor.looking import awake, first_batches
from hornbook.workflows.doctor.subject import Subject, weights_kept

_ROWS = 4
_DIFFERENT = 1e-3
"""Of a gradient's largest value: what sums in another order may differ by in float32."""
_NOTHING = 1e-3
"""Of the largest gradient: what is smaller may be a sum of errors of rounding."""
_SHOWN = 3


@check("accumulation", "A step is the same however it is cut", "problem", turn=2)
def same_in_parts(subject: Subject) -> Diagnosis:
    """The gradient of some rows at once, against that of one row after the other."""
    problem = subject.problem
    assert problem is not None
    batch = next(first_batches(problem, 1))
    if isinstance(batch, QuestionBatch):
        return beside_the_point("each question is told from all others of its step; none is cut")
    part = next(batch.split(_ROWS))
    if sum(1 for _ in part.split(1)) < 2:
        return beside_the_point("a step has one row only")
    with weights_kept(problem), awake(problem.model):
        whole = _gradient(problem, part, _ROWS)
        cut = _gradient(problem, part, 1)
    if whole[1] != cut[1]:
        return faulty(
            f"a step has {whole[1]:,} targets at once and {cut[1]:,} in parts",
            "Report it: the count of targets depends on --micro-rows.",
        )
    least = _NOTHING * max(float(one.abs().max()) for one in whole[2].values())
    worst = max(_apart(whole[2][name], cut[2][name], least) for name in whole[2])
    worst = max(worst, abs(whole[0] - cut[0]) / max(1.0, abs(whole[0])))
    if worst > _DIFFERENT:
        return faulty(
            f"gradients at once and in parts differ by {worst:.1%}",
            "Report it: the loss is divided in each part, or rows see each other.",
        )
    return sound(f"gradients at once and in parts differ by {worst:.0e} at most")


def _gradient(problem: Problem, part: Any, rows: int) -> tuple[float, int, dict[str, torch.Tensor]]:
    loop = problem.loop.model_copy(update={"micro_rows": rows, "dtype": "float32"})
    for weight in problem.model.parameters():
        weight.grad = None
    loss, count = gradient(problem.model, problem.objective, part, loop)
    found = {
        name: weight.grad.float().cpu().clone()
        for name, weight in trainable(problem.model)
        if weight.grad is not None
    }
    return loss, count, found


def _apart(one: torch.Tensor, other: torch.Tensor, least: float) -> float:
    """The largest difference, as a share of the largest value; least: what counts as none, as a
    bias before a softmax has."""
    return float((one - other).abs().max()) / max(float(one.abs().max()), least, 1e-30)


@check("gradients", "Every weight that may move is moved", "problem", turn=2)
def all_move(subject: Subject) -> Diagnosis:
    """A weight without a gradient is never trained."""
    problem = subject.problem
    assert problem is not None
    moving = [name for name, _ in trainable(problem.model)]
    batch = next(first_batches(problem, 1))
    if isinstance(batch, RolloutBatch) and not batch.scale:
        return doubtful(
            "all answers of the first step are worth the same: it teaches nothing",
            "Show an example in the prompts, or tune on some answers first.",
        )
    part = next(batch.split(_ROWS))
    with weights_kept(problem), awake(problem.model):
        _, count, found = _gradient(problem, part, _ROWS)
    broken = [name for name, value in found.items() if not bool(torch.isfinite(value).all())]
    if broken:
        return faulty(
            f"the gradient of {broken[0]} is not finite",
            "Look at the rows of the first step, and lower the learning rate.",
        )
    still = [name for name in moving if name not in found or not bool(found[name].any())]
    if len(still) == len(moving):
        return faulty(
            "no weight gets a gradient: nothing would be learned",
            "Look at --method, and whether the samples have targets.",
        )
    if still:
        shown = ", ".join(still[:_SHOWN])
        return doubtful(
            f"{len(still)} of {len(moving)} tensors get no gradient in {count:,} targets: {shown}",
            "Fine for experts and words that are rare; else these parts are never trained.",
        )
    return sound(f"all {len(moving)} tensors get one")
