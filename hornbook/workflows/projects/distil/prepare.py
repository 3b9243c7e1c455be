"""All that stands before the first step of a distillation: student and teacher are opened, the
teacher is asked, the student measured.
"""

from collections.abc import Sequence

import numpy as np

from hornbook.batches.conversations import Example, PackedConversations
from hornbook.batches.taught import Beginnings, Lookup, TaughtConversations
from hornbook.core.machine import Machine
from hornbook.datasets.split import NothingToLearn
from hornbook.training.distillation import distil
from hornbook.training.forecast import timed
from hornbook.workflows.projects.answers.goal import answers
from hornbook.workflows.projects.answers.problem import TuningStart, looked_before, opened
from hornbook.workflows.projects.answers.rows import Encoded
from hornbook.workflows.projects.distil.problem import DistilProblem, Taught, longest_written
from hornbook.workflows.projects.distil.request import DistilPlan, DistilRequest
from hornbook.workflows.projects.distil.teacher import Teacher, in_time, store
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.tuning import TuningSource


def prepare(
    source: TuningSource[Encoded],
    teacher: Teacher,
    request: DistilRequest,
    plan: DistilPlan,
    machine: Machine,
    place: Place,
) -> DistilProblem:
    """The problem, its student measured before the first step."""
    found = opened(source, request, plan, machine, place)
    order = np.random.default_rng(request.seed).permutation(len(found.parts.train)).tolist()
    examples = [
        found.parts.train[place]._replace(number=number) for number, place in enumerate(order)
    ]
    vocab, lookup = source.tokenizer.vocab_size, None
    model, opening_s = timed(lambda: teacher.open(machine.device))
    longest = longest_written(request, plan)
    sides = found.parts._asdict().items()
    beginnings = {name: Beginnings(side, plan.context, longest) for name, side in sides}
    for name, some in beginnings.items():
        if not len(some):
            raise NothingToLearn(
                f"No prompt of the {name} part leaves room for an answer; raise --context."
            )
    if plan.taught is None and request.teacher_weight:
        clock = place.clock.part(0.5 if compares(request, place) else 1.0)
        count = in_time(model, examples, found.loop, clock)
        plan = plan.model_copy(update={"taught": count})
    examples = examples[: plan.taught]
    if len(examples) < len(order):
        place.progress.say(
            f"  {len(examples):,} of {len(order):,} samples are learned from, as time is short"
        )
    if request.teacher_weight:
        lookup = store(teacher, model, examples, request, (found.loop, vocab, place))
    beginnings["train"] = Beginnings(examples, plan.context, longest)
    seconds = opening_s + (lookup.seconds if lookup else 0.0)
    taught = Taught(teacher, model, examples, beginnings, seconds)
    problem = learning(source, found, examples, (taught, lookup), (request, plan, place))
    problem.teach(taught, place.clock)
    return problem


def learning(
    source: TuningSource[Encoded],
    found: TuningStart,
    examples: Sequence[Example],
    by: tuple[Taught | None, Lookup | None],
    asked: tuple[DistilRequest, DistilPlan, Place],
) -> DistilProblem:
    """The problem of what was opened; the student is measured unless it was.

    by: the teacher with what it expects; neither for the data alone.
    """
    request, plan, place = asked
    taught, lookup = by
    padding = source.tokenizer.pad_id or 0
    packed = PackedConversations(examples, plan.context, plan.rows, request.seed, padding)
    goal = answers(found.model, found.parts, TaughtConversations(packed, lookup))
    objective = distil(
        request.teaching, taught.model if taught else None, source.tokenizer.vocab_size
    )
    goal = goal._replace(objective=objective)
    before = looked_before(request, found, goal, place)
    problem = DistilProblem(
        source, goal, found.general, before, found.model, request, plan, found.loop
    )
    problem.parts = found.parts
    return problem


def compares(request: DistilRequest, place: Place) -> bool:
    """Whether the same tuning is made without a teacher as well: by one process, beside another."""
    return request.compare and place.team is None
