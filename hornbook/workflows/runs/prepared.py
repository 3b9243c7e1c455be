"""A run before its first step: its problem, and its recipe as far as it is settled.

The run itself, the processes that help it and whoever only looks at it begin with these two.
"""

from typing import Any, TypeVar

from hornbook.core.machine import Machine, versions
from hornbook.training.layers import recompute_layers
from hornbook.training.problem import Problem
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project
from hornbook.workflows.runs.recipe import Recipe, Request

Asked = TypeVar("Asked", bound=Request)
Made = TypeVar("Made", bound=Recipe)
Learned = TypeVar("Learned", bound=Problem)


def prepared(
    project: Project[Asked, Made, Learned],
    request: Asked,
    plan: Any,
    machine: Machine,
    place: Place,
) -> Learned:
    """The problem that is learned. Raises as the project's `prepare`."""
    problem = project.prepare(request, plan, machine, place)
    if request.recompute:
        recompute_layers(problem.model)
    return problem


def recipe_of(
    project: Project[Asked, Made, Learned], request: Asked, problem: Learned, **settled: Any
) -> Made:
    """The recipe of a problem. settled: the fields of `Settlement` that are known by now."""
    return project.recipe(
        kind=project.kind,
        request=request,
        places=project.places(),
        plan=problem.plan,
        choices=problem.choices,
        versions=versions(),
        steps_per_epoch=problem.steps_per_epoch,
        **settled,
    )
