"""Samples of one row that see each other, and answers that a model sees before it gives them."""

import torch

from hornbook.batches.batch import IGNORE, Batch, PairBatch
from hornbook.models.masked_lm import MaskedLM
from hornbook.training.problem import Problem
from hornbook.training.translation import target_losses
from hornbook.workflows.doctor.diagnosis import Diagnosis, beside_the_point, check, faulty, sound
from hornbook.workflows.doctor.looking import awake, first_batches, losses, rows_of, samples
from hornbook.workflows.doctor.subject import Subject

_ROWS, _STEPS = 4, 40
_MOVED = 1e-3
"""Nats by which a loss may differ for its sum being made in another order."""
_MOST_SHOWN = 0.35
"""Of hidden words, a tenth stays as it is by design; the rest is chance."""


@check("packing", "Samples in one row do not see each other", "problem")
def packed_apart(subject: Subject) -> Diagnosis:
    """What another sample of the row says must not move a loss."""
    problem = subject.problem
    assert problem is not None
    isolated = getattr(subject.recipe and subject.recipe.request, "isolate", None)
    if isolated is False:
        return beside_the_point(
            "documents in one window see each other on purpose; --isolate keeps them apart"
        )
    rows = _with_neighbours(problem)
    if rows is None and isolated:
        return faulty(
            "documents were to be kept apart, but windows say nothing of where they begin",
            "Report it; until then, leave --isolate out and know what is trained.",
        )
    if rows is None:
        return beside_the_point("no row holds two samples")
    with awake(problem.model):
        moved = max(_moved(problem.model, rows, first) for first in (True, False))
    if moved > _MOVED:
        return faulty(
            f"another sample in the row moves the loss of its neighbour by {moved:.3f} nats",
            "Report it: samples are packed without a mask that keeps them apart.",
        )
    return sound(f"{len(rows.tokens)} rows of several samples looked at")


def _with_neighbours(problem: Problem) -> Batch | None:
    """Some rows that hold two samples or more with targets."""
    for batch in first_batches(problem, _STEPS):
        if (rows := rows_of(batch)) is None:
            return None
        numbers, learned = samples(rows), rows.targets != IGNORE
        found = [i for i in range(len(rows.tokens)) if len(numbers[i][learned[i]].unique()) > 1]
        if found and len(rows.pos) == len(rows.tokens):
            keep = torch.tensor(found[:_ROWS])
            segments = None if rows.segments is None else rows.segments[keep]
            return Batch(rows.tokens[keep], rows.targets[keep], rows.pos[keep], segments)
    return None


def _moved(model: torch.nn.Module, rows: Batch, first: bool) -> float:
    """By how much losses of the others move when the first, or the last, sample is changed."""
    numbers, learned = samples(rows), rows.targets != IGNORE
    own = torch.where(learned, numbers, 10**9 if first else -1)
    chosen = own.min(1).values if first else own.max(1).values
    changed = numbers == chosen[:, None]
    ids = rows.tokens[learned | changed].unique()
    shifted = ids[(torch.searchsorted(ids, rows.tokens.clamp(max=int(ids[-1]))) + 1) % len(ids)]
    other = rows._replace(tokens=torch.where(changed, shifted, rows.tokens))
    difference = (losses(model, rows) - losses(model, other)).abs()
    return float(difference[learned & ~changed].max())


@check("answers_hidden", "The model does not see what it is asked", "problem")
def answers_hidden(subject: Subject) -> Diagnosis:
    """What stands later must not move an earlier loss; hidden words must be hidden."""
    problem = subject.problem
    assert problem is not None
    batch = next(first_batches(problem, 1))
    if isinstance(problem.model, MaskedLM):
        return _masked(batch)
    if isinstance(batch, PairBatch):
        part = next(batch.split(_ROWS))
        ahead, valid = part.tokens, part.targets != IGNORE

        def measured(tokens: torch.Tensor) -> torch.Tensor:
            moved = part._replace(tokens=tokens).to(problem.loop.device)
            return target_losses(problem.model, moved).float().cpu()
    elif (rows := rows_of(batch)) is not None:
        some = next(rows.split(_ROWS))
        ahead, valid = some.tokens, some.targets != IGNORE

        def measured(tokens: torch.Tensor) -> torch.Tensor:
            return losses(problem.model, some._replace(tokens=tokens))
    else:
        return beside_the_point("a label is asked for, and no label is read")
    last = (valid * torch.arange(1, 1 + valid.shape[1])).argmax(1)
    index, changed = torch.arange(len(ahead)), ahead.clone()
    changed[index, last] = ahead[index, (last - 1).clamp(min=0)]
    earlier = valid & (torch.arange(valid.shape[1]) < last[:, None])
    with awake(problem.model), torch.no_grad():
        difference = (measured(ahead) - measured(changed)).abs() * earlier
    if float(difference.max()) > _MOVED:
        return faulty(
            f"what stands later moves an earlier loss by {float(difference.max()):.3f} nats",
            "Report it: the model looks ahead, and its score means nothing.",
        )
    return sound("what stands later moves no earlier loss")


def _masked(batch: Batch) -> Diagnosis:
    asked = batch.targets != IGNORE
    if not bool(asked.any()):
        return beside_the_point("nothing is hidden in the first step")
    shown = float((batch.tokens == batch.targets)[asked].float().mean())
    if shown > _MOST_SHOWN:
        return faulty(
            f"{shown:.0%} of the words that are asked for stand in the text",
            "Report it: words that should be hidden are shown.",
        )
    return sound(f"{shown:.0%} of the words that are asked for are shown, as is meant")
