"""Numbers of the device in the type of the run, beside the same on a CPU with more digits."""

import copy
from typing import Any

import torch

from hornbook.core.machine import memory_bytes
from hornbook.training.loop import gradient
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

_ROWS = 2
_BOUNDS = {"float32": 1e-3, "bfloat16": 0.05}
"""Of the loss: what a type may lose by its digits; ten times as much is a fault."""
_PROMPT = "The hornbook holds words, and a child reads them."


@check("numerics", "The device computes what the CPU computes", turn=2)
def same_numbers(subject: Subject) -> Diagnosis:
    """The loss of the first rows as the run computes it, against a CPU with more digits."""
    if subject.problem is None:
        return _of_model(subject)
    problem = subject.problem
    part = next(next(first_batches(problem, 1)).split(_ROWS))
    size = sum(weight.numel() for weight in problem.model.parameters())
    if 16 * size > memory_bytes():
        return beside_the_point("the model is too large to be computed twice")
    device, dtype = problem.loop.device, problem.loop.dtype
    with weights_kept(problem), awake(problem.model):
        loss, count = gradient(problem.model, problem.objective, part, problem.loop)
        wide = device == "cpu" and dtype == "float32"
        model = copy.deepcopy(problem.model).cpu()
        model = model.double() if wide else model.float()
        update = {"device": "cpu", "dtype": "float32"}
        loop = problem.loop.model_copy(update=update)
        right, _ = gradient(model, problem.objective, _widened(part) if wide else part, loop)
    apart, bound = abs(loss - right) / max(abs(right), count * 0.01), _BOUNDS[dtype]
    shown = f"{loss / count:.5f} against {right / count:.5f} nats in {count:,} targets"
    if not apart <= 10 * bound:  # what is no number is none of both
        return faulty(
            f"the loss on {device} in {dtype} is {shown}",
            "Train with --dtype float32, and update the driver and torch.",
        )
    if apart > bound:
        return doubtful(
            f"the loss on {device} in {dtype} is {shown}", "Compare with --dtype float32."
        )
    return sound(f"the loss on {device} in {dtype} is {shown}")


def _widened(part: Any) -> Any:
    """Pixels and vectors as float64; ids stay ids."""
    return type(part)(
        *(
            one.double() if isinstance(one, torch.Tensor) and one.is_floating_point() else one
            for one in part
        )
    )


def _of_model(subject: Subject) -> Diagnosis:
    """What generates, maybe by kernels of ours, beside torch on the same weights."""
    from hornbook.models.causal_lm import CausalLM
    from hornbook.nn.contract import Context, Mask
    from hornbook.workflows.open.generator import open_generator

    network = subject.network() if subject.model is not None else None
    if not isinstance(network, CausalLM):
        return beside_the_point("there is nothing here that is computed in two ways")
    assert subject.model is not None
    served, tokenizer = open_generator(subject.model)
    ids = tokenizer.encode_beginning(_PROMPT)[: max(1, network.config.context - 1)]
    ours = torch.from_numpy(served.sequences(1, len(ids) + 1).go_on({0: ids})[0]).float()
    context = Context(torch.arange(len(ids))[None], Mask(causal=True))
    with torch.no_grad():
        theirs = network.head(network.features(torch.tensor([ids]), context))[0, -1].float()
    apart = float((ours.softmax(0) - theirs[: len(ours)].softmax(0)).abs().sum()) / 2
    if not apart <= 0.2:
        return faulty(
            f"of the next token's probability {apart:.0%} lie elsewhere than torch puts them",
            "Report it, with the model's name; --weights float32 goes round it.",
        )
    return sound(f"{apart:.2%} of the next token's probability lie elsewhere than torch puts them")
