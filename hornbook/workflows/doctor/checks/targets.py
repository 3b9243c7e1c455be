"""Samples of which nothing is learned."""

from typing import Any

from hornbook.batches.batch import IGNORE, PairBatch
from hornbook.batches.labelled import LabelledBatch
from hornbook.workflows.doctor.diagnosis import (
    Diagnosis,
    beside_the_point,
    check,
    doubtful,
    faulty,
    sound,
)
from hornbook.workflows.doctor.looking import first_batches, rows_of, samples
from hornbook.workflows.doctor.subject import Subject

_STEPS = 200
_FEW = 0.02
"""Share of rows of hidden words in which by chance nothing is hidden."""
_MANY = 0.1
"""Share of rows that were left out, from which on somebody should know."""


@check("targets", "Something is learned of every sample", "problem")
def learned(subject: Subject) -> Diagnosis:
    """Each sample must have a target that is not ignored."""
    problem = subject.problem
    assert problem is not None
    looked = empty = 0
    for batch in first_batches(problem, _STEPS):
        counts = _targets(batch)
        if counts is None:
            return beside_the_point("what is learned here are not tokens")
        looked, empty = looked + len(counts), empty + sum(not count for count in counts)
    if empty > _FEW * looked or (empty and subject.project and subject.project.kind != "text"):
        return faulty(
            f"of {empty:,} of {looked:,} samples nothing is learned: all their targets are ignored",
            "Look at the answers of these rows and at what the chat template marks as answers.",
        )
    left_out, read = _left_out(problem)
    if left_out > _MANY * read:
        return doubtful(
            f"{left_out:,} of {read:,} rows are left out: too long, or nothing to learn in them",
            "Raise --context, or mend the rows; the run says which they are.",
        )
    return sound(f"{looked:,} samples looked at")


def _targets(batch: Any) -> list[int] | None:
    """How many targets each sample of a batch has; empty rows at the end of an epoch are none."""
    if isinstance(batch, LabelledBatch):
        valid = batch.valid
        return [1] * len(batch.labels) if valid is None else valid.sum(1).tolist()
    if isinstance(batch, PairBatch):
        return [int(n) for n in (batch.targets != IGNORE).sum(1)]
    if (rows := rows_of(batch)) is None:
        return None
    if rows.segments is None:
        return [int(n) for n in (rows.targets != IGNORE).sum(1)]
    found = []
    for numbers, segments, targets in zip(samples(rows), rows.segments, rows.targets, strict=True):
        inside = segments > 0 if bool((segments == 0).any()) else segments >= 0
        found += [
            int((targets[numbers == number] != IGNORE).sum()) for number in numbers[inside].unique()
        ]
    return found


def _left_out(problem: Any) -> tuple[int, int]:
    """Rows that cannot be learned from, and all that were read, where rows are encoded one by
    one."""
    source = getattr(problem, "source", None)
    if source is None:
        return 0, 0
    facts = source.data.facts(problem.plan.context)
    read = facts["train"] + facts["validation"] + facts["test"] + facts["refused"]
    return facts["refused"] + facts["too_long"], read
