"""The life of a run, the only one: what lies there, machine, plan, prepare, settle, train, finish.

Text, pairs, images, answers and labels are projects; nothing here knows which one it leads.
"""

from pathlib import Path
from typing import Any, TypeVar

from hornbook.adapt.method import parameter_counts
from hornbook.core.clock import Clock
from hornbook.core.files import place_errors, write_json
from hornbook.core.machine import peak_memory_bytes
from hornbook.core.progress import Progress
from hornbook.training.checkpoint import load_checkpoint
from hornbook.training.parallel.lead import alone, company
from hornbook.training.problem import Problem
from hornbook.training.schedule import last_step
from hornbook.training.state import TrainState
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs import ledger
from hornbook.workflows.runs.loop import Trained, train_run
from hornbook.workflows.runs.many import help_along, helped
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.prepared import prepared, recipe_of
from hornbook.workflows.runs.project import Project
from hornbook.workflows.runs.recipe import Recipe, Request
from hornbook.workflows.runs.settle import announcement, machine_for

Asked = TypeVar("Asked", bound=Request)
Made = TypeVar("Made", bound=Recipe)
Learned = TypeVar("Learned", bound=Problem)

_TRAINING = 0.9
"""Of what a clock handed down has left before the first step, what training may take."""


def run(
    project: Project[Asked, Made, Learned],
    folder: Path,
    request: Asked,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Train what `project` says into `folder`; returns the facts of result.json.

    clock: of the request's minutes, begun now, if None; one with a limit of its own shortens a run
    that was asked for steps. A finished run of the same request is reused. Raises UsageError for a
    folder that holds anything else, Interrupted after Ctrl-C with a checkpoint written, Diverged
    with the checkpoint before it in place.
    """
    clock, progress = clock or Clock.start(request.minutes), progress or Progress()
    with company() as team:
        place = Place(folder, progress, clock, team=team)
        if team is not None and not team.leads:
            help_along(project, request, place, team)
        return _led(project, request, place, resume)


def _led(
    project: Project[Asked, Made, Learned], request: Asked, place: Place, resume: bool
) -> dict[str, Any]:
    """The whole life, by the process that writes and speaks."""
    folder = place.folder
    with place_errors(folder):
        there = layout.check(folder, request, project.kind, resume)
    if layout.is_finished(folder):
        place.progress.say(f"Reused: {folder} already holds this run, finished.")
        return layout.result(folder)
    recipe = project.recipe.load(folder) if there else None
    with layout.alone(folder):
        return _run(project, recipe, request, place, resume)


def _run(
    project: Project[Asked, Made, Learned],
    there: Made | None,
    request: Asked,
    place: Place,
    resume: bool,
) -> dict[str, Any]:
    """From the machine to the result. there: the recipe of a run that was stopped."""
    folder, clock = place.folder, place.clock
    problem, recipe = settled(project, there, request, place)
    if there is None:
        recipe.save(folder)
        project.began(recipe, place)
        place.progress.say(*announcement(recipe, problem.targets))
    elif recipe.compiled:
        problem.compile()
    state = problem.begin()
    if resume:
        # Without a checkpoint, from the beginning.
        load_checkpoint(folder / layout.CHECKPOINTS, state, place.progress.say)
        place.progress.say(f"Resumed at step {state.step} of {recipe.loop.steps}.")
    training = _training_clock(recipe, state, clock)
    trained = train_run(recipe, problem, state, training, place, project.command)
    problem = alone(problem)  # what is left is done by this process
    facts = _facts(recipe, trained, place)
    result = project.finish(recipe, problem, trained, facts, place)
    result["disk_bytes"] = layout.weights_bytes(folder)
    project.report(problem, result, place)
    write_json(folder / layout.RESULT, result)  # last: a run that has it is finished
    ledger.record(recipe, result)
    return result


def settled(
    project: Project[Asked, Made, Learned], there: Made | None, request: Asked, place: Place
) -> tuple[Learned, Made]:
    """The problem, and all that is decided before the first step; there: what was decided already.

    Nothing of it is written down yet. Raises HornbookError where disk or time do not suffice.
    """
    machine = machine_for(there.machine if there else None, request.device)
    plan, choices = (there.plan, there.choices) if there else project.plan(machine, request, place)
    place.progress.say(*(f"  {one.name} = {one.value}: {one.reason}" for one in choices))
    problem = prepared(project, request, plan, machine, place)
    problem.choices = list(choices)
    if there is not None:
        return helped(problem, request, machine, place), there
    steps = project.steps(request, problem)
    if project.settles_together:
        problem = helped(problem, request, machine, place)
    settlement = project.settle(problem, machine, steps, request, place)
    if not project.settles_together:
        problem = helped(problem, request, settlement.machine, place)
    return problem, recipe_of(project, request, problem, **settlement._asdict())


def _training_clock(recipe: Recipe, state: TrainState, clock: Clock) -> Clock:
    """The time for the steps that are left, as it was settled or as steps took until now.

    Where steps or tokens were asked for, nothing is shortened, but for the limit of a clock that
    was handed down.
    """
    if recipe.training_s is None:
        return clock.part(_TRAINING)
    steps, taken = recipe.loop.steps, state.step
    step_s = max(recipe.training_s / steps, state.elapsed_s / taken if taken else 0.0)
    return Clock.start((last_step(steps, state.cuts) - taken) * step_s / 60)


def _facts(recipe: Recipe, trained: Trained, place: Place) -> dict[str, Any]:
    """What every result says."""
    state = trained.state
    return {
        "run": str(place.folder),
        "kind": recipe.kind,
        "seconds": state.elapsed_s,
        "steps": state.step,
        "processes": place.team.world if place.team else 1,
        "shortened": [cut._asdict() for cut in state.cuts],
        "parameters": parameter_counts(state.model)._asdict(),
        "forecast": recipe.forecast and recipe.forecast.plain(),
        "peak_bytes": peak_memory_bytes(recipe.machine.device),
        "report": str(place.folder / layout.REPORT),
    }
