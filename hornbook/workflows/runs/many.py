"""A run by many processes: those that help prepare the same problem as the one that leads."""

from typing import Any, NoReturn, TypeVar, cast

import torch

from hornbook.core.clock import NO_LIMIT
from hornbook.core.machine import Machine
from hornbook.core.progress import Progress
from hornbook.training.checkpoint import trainable
from hornbook.training.parallel.lead import follow, led
from hornbook.training.parallel.team import Team
from hornbook.training.problem import Problem
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.prepared import prepared
from hornbook.workflows.runs.project import Project
from hornbook.workflows.runs.recipe import Request
from hornbook.workflows.runs.settle import machine_for

Learned = TypeVar("Learned", bound=Problem)


_MOVED_BYTES, _MOST = 12, 0.5
"""A weight's gradient and two moments in float32; and the share of an accelerator's memory that
those may take with the weights, as the rest is for activations."""


def helped(problem: Learned, request: Request, machine: Machine, place: Place) -> Learned:
    """The problem with whose work all processes help from now on; itself where there is one."""
    if place.team is None:
        return problem
    sharded = _sharded(problem, request, machine)
    count = place.team.world
    if sharded:
        place.progress.say(f"  processes = {count}: each holds a part of the model")
    else:
        place.progress.say(f"  processes = {count}: each holds the whole model")
    given = {"plan": problem.plan.plain(), "machine": machine.plain()}
    return cast(Learned, led(problem, place.team, sharded, given))


def _sharded(problem: Problem, request: Request, machine: Machine) -> bool:
    """Whether no process holds all: as asked for, or where it would fill an accelerator."""
    if request.shard is not None or machine.device == "cpu":
        return bool(request.shard)
    moved = sum(weight.numel() for _, weight in trainable(problem.model))
    whole = sum(weight.numel() for weight in problem.model.parameters())
    needed = 4 * whole + _MOVED_BYTES * moved
    return needed > _MOST * torch.cuda.mem_get_info()[1]


def help_along(
    project: Project[Any, Any, Any], request: Request, place: Place, team: Team
) -> NoReturn:
    """Help the process that leads this run, until it says that it is over.

    What it prepared lies in the run's folder and is found there, as by a run that goes on.
    """
    plan_class = project.recipe.model_fields["plan"].annotation
    quiet = Place(place.folder, Progress(quiet=True), NO_LIMIT)

    def prepare(plan: dict[str, Any], machine: dict[str, Any]) -> Problem:
        known = machine_for(Machine.parse(machine, "the order"), request.device)
        problem: Problem = prepared(
            project, request, plan_class.parse(plan, "the order"), known, quiet
        )
        return problem

    follow(team, prepare)
