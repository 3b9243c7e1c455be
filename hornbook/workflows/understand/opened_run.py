"""A finished run opened again, with all that it learned from and the states it went through."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.batches.packing import PackedWindows
from hornbook.core.clock import Clock
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.progress import Progress
from hornbook.explain.sentence import TokenSpan
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.training.checkpoint import checkpoints, restore
from hornbook.training.state import TrainState
from hornbook.workflows.projects.text.problem import TextProblem
from hornbook.workflows.projects.text.project import Text
from hornbook.workflows.projects.text.request import TextRecipe
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.prepared import prepared
from hornbook.workflows.runs.settle import machine_for

QUICKSTART = "pretrain"
"""Where the quickstart keeps its run on text."""


class OpenedRun(NamedTuple):
    """A finished run on text with all that it learned from. steps: that it really made."""

    folder: Path
    recipe: TextRecipe
    result: dict[str, Any]
    problem: TextProblem
    windows: PackedWindows
    steps: int


class Followed(NamedTuple):
    """The sentence's spans, in order, and others of the same length, of the text that the run
    learned from and of text that was held out."""

    spans: list[TokenSpan]
    others: list[TokenSpan]
    held_out: list[TokenSpan]


@contextmanager
def opened(folder: Path, progress: Progress) -> Iterator[OpenedRun]:
    """The run in a folder, which nobody else works on meanwhile. Raises UsageError for another."""
    if (folder / QUICKSTART / layout.RECIPE).is_file():
        folder = folder / QUICKSTART
    layout.require_run(folder)
    if layout.kind_of(folder, [Text.kind]) != Text.kind or not layout.is_finished(folder):
        raise UsageError(f"{folder} is no finished run of `hornbook pretrain --corpus`.")
    recipe, result = TextRecipe.load(folder), layout.result(folder)
    if result["task"] != "continue":
        raise UsageError(
            f"The model of {folder} fills in words; a biography is of one that goes on."
        )
    project, request = Text.reopen(recipe), recipe.request
    project.require_same(request, folder)
    machine = machine_for(recipe.machine, request.device)
    with layout.alone(folder):
        place = Place(folder, progress, Clock.start(None))
        problem = prepared(project, request, recipe.plan, machine, place)
        windows = PackedWindows(
            problem.train, recipe.plan.context, recipe.plan.rows, request.seed, request.isolate
        )
        yield OpenedRun(folder, recipe, result, problem, windows, result["steps"])


def states(run: OpenedRun) -> Iterator[TrainState]:
    """The training before its first step and at each checkpoint that was kept, in order."""
    yield run.problem.begin()
    for path in checkpoints(run.folder / layout.KEPT):
        state = run.problem.begin()
        if fault := restore(path, state):
            raise HornbookError(f"{path} is damaged: {fault}.")
        yield state


def final_model(run: OpenedRun) -> CausalLM:
    """What the run ended with."""
    model = load_model(run.folder / layout.MODEL, run.recipe.loop.device)
    assert isinstance(model, CausalLM)
    return model
