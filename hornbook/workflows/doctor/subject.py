"""What is examined: a run, a recipe, a model or the machine alone, opened as a run would open it.

All that is written goes to a folder aside; what a run has made already is used from there by links.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hornbook.core.clock import Clock
from hornbook.core.config import read_recipe
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.machine import Machine
from hornbook.core.progress import Progress
from hornbook.corpus.corpus import Corpus
from hornbook.corpus.subset import CorpusSubset
from hornbook.models.folder import load_model
from hornbook.models.model import Model
from hornbook.models.place import linear_folder, resolve
from hornbook.training.choices import Choice
from hornbook.training.forecast import gradient_seconds
from hornbook.training.problem import Problem
from hornbook.workflows.projects import kinds, project_class
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.prepared import prepared, recipe_of
from hornbook.workflows.runs.project import Project
from hornbook.workflows.runs.recipe import Recipe
from hornbook.workflows.runs.settle import machine_for

What = Literal["drill", "machine", "model", "recipe", "run"]
RECIPES = (".yaml", ".yml")
PREPARING = 0.3
"""Minutes that preparing is told it has: it measures less then, and learns from the same data."""
_LIGHT = 8 * 2**20
"""Bytes of a corpus that was not encoded yet that are looked at."""
_STEP_S = 1.0
"""What takes longer is looked at in smaller steps."""
_LENGTHS = ("tokens", "steps", "epochs")
_USUAL_MINUTES = 5.0
"""Of a recipe that does not say how long."""


@dataclass
class Subject:
    """What is examined, as far as it can be opened.

    place: as the user named it. work: a folder for what is written; removed afterwards. clock: of
    the examination. refused: why it could not be prepared. run: its folder, where it has begun.
    model: a model folder or .gguf file to use. linear: a classifier without a network.
    project, recipe, problem: of what is trained. light: of a large corpus, how many times as much
    there is as is looked at; else 1. choices: of sizes, where these were chosen here.
    """

    what: What
    place: Path | None
    work: Path
    clock: Clock
    machine: Machine | None = None
    run: Path | None = None
    model: Path | None = None
    linear: Path | None = None
    refused: str = ""
    project: Project[Any, Any, Any] | None = None
    recipe: Recipe | None = None
    problem: Problem | None = None
    light: float = 1.0
    choices: list[Choice] = field(default_factory=list)
    preparing_s: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer that is trained with, of whatever class; None where nothing is read."""
        return getattr(self.problem, "tokenizer", None)

    def network(self) -> Model:
        """The model that is there, its weights as floats on the CPU; read once.

        Raises HornbookError naming what is broken.
        """
        assert self.model is not None
        if "network" not in self.facts:
            self.facts["network"] = load_model(self.model).eval()
        found: Model = self.facts["network"]
        return found

    def small(self) -> None:
        """Take steps small enough to be tried; done once."""
        problem = self.problem
        assert problem is not None
        if "size" not in self.facts:
            step_s = gradient_seconds(problem, _STEP_S)
            if step_s > _STEP_S and problem.size > 1:
                problem.resize(max(1, int(problem.size * _STEP_S / step_s)))
            self.facts["size"] = problem.size


def open_subject(
    target: Path | None,
    project: Project[Any, Any, Any] | None,
    values: Mapping[str, Any],
    work: Path,
    clock: Clock,
    progress: Progress,
    minutes: float | None = None,
) -> Subject:
    """What `target` or a project with values of a recipe is.

    minutes: how long to train, whatever the recipe says; its sizes are chosen anew then. Raises
    UsageError where nothing can be found at all; what is found and cannot be prepared is a subject
    that says why.
    """
    if project is not None:
        subject = Subject("recipe", target, work, clock, project=project)
        if minutes is None and not _says_length(project, values):
            minutes = _USUAL_MINUTES
        request = project.request(dict(values) if minutes is None else _lasting(values, minutes))
        _prepared(subject, request, None, progress)
        return subject
    if target is None:
        return Subject("machine", None, work, clock)
    if (target / layout.RECIPE).is_file():
        return _of_recipe(target / layout.RECIPE, "run", work, clock, progress, minutes)
    if target.is_file() and target.suffix in RECIPES:
        return _of_recipe(target, "recipe", work, clock, progress, minutes)
    if (linear := linear_folder(target)) is not None:
        return Subject("model", target, work, clock, linear=linear)
    return Subject("model", target, work, clock, model=resolve(target))


def _says_length(project: Project[Any, Any, Any], values: Mapping[str, Any]) -> bool:
    needed = project.recipe.model_fields["request"].annotation
    return not needed.length_needed or any(values.get(name) is not None for name in needed.length)


def _lasting(values: Mapping[str, Any], minutes: float) -> dict[str, Any]:
    """The values of a request that lasts so long, whatever else they say of its length."""
    return {**{key: values[key] for key in values if key not in _LENGTHS}, "minutes": minutes}


def _of_recipe(
    file: Path,
    what: What,
    work: Path,
    clock: Clock,
    progress: Progress,
    minutes: float | None,
) -> Subject:
    """A run, or the recipe of one. Raises UsageError for a recipe that names no data."""
    values = read_recipe(file)
    if not {"kind", "places", "request"} <= values.keys():
        raise UsageError(
            f"{file} does not say what to train on; name it as well: --corpus, --pairs or --images."
        )
    if values["kind"] not in kinds():
        raise UsageError(f"{file}: kind = {values['kind']!r} is none of {', '.join(kinds())}.")
    subject = Subject(what, file if what == "recipe" else file.parent, work, clock)
    if what == "run":
        subject.run = file.parent
        with contextlib.suppress(UsageError):  # not finished yet
            subject.model = resolve(file.parent)
    kind = project_class(values["kind"])
    try:
        recipe = kind.recipe.parse(values, str(file))
        subject.recipe, subject.project = recipe, kind.reopen(recipe)
    except (KeyError, TypeError):
        subject.refused = f"{file}: places does not say where the data lie."
        return subject
    except HornbookError as error:
        subject.refused = str(error)
        return subject
    request = recipe.request
    if minutes is not None:
        lengths = {name: None for name in _LENGTHS if hasattr(request, name)}
        request = request.model_copy(update={**lengths, "minutes": minutes})
    _prepared(subject, request, recipe.plan if minutes is None else None, progress)
    return subject


def _prepared(subject: Subject, request: Any, plan: Any, progress: Progress) -> None:
    """Prepare the subject's problem aside, or note why it cannot be."""
    project = subject.project
    assert project is not None
    place = Place(subject.work, Progress(quiet=True), Clock.start(PREPARING))
    progress.doing("preparing the data as the run would")
    began = time.monotonic()
    try:
        if subject.run is not None:
            link_parts(subject.run, subject.work)
        encoded = any((subject.work / name).is_dir() for name in layout.PARTS)
        subject.machine = machine_for(None, request.device)
        if plan is None:
            plan, subject.choices = project.plan(subject.machine, request, place)
        subject.light = lighten(project, not encoded)
        problem = prepared(project, request, plan, subject.machine, place)
        subject.preparing_s = time.monotonic() - began
    except HornbookError as error:
        subject.refused = str(error)
        return
    problem.choices = []
    subject.problem = problem
    subject.recipe = recipe_of(
        project, request, problem, machine=subject.machine, loop=problem.loop
    )


def lighten(project: Any, wanted: bool) -> float:
    """Let a project see a part of a large corpus, where that is wanted; how many times as much
    there is."""
    corpus = getattr(project, "corpus", None)
    if not wanted or not isinstance(corpus, Corpus) or corpus.bytes("train") <= _LIGHT:
        return 1.0
    project.corpus = CorpusSubset(corpus, _LIGHT, 0)
    return corpus.mixture_bytes / max(1, int(project.corpus.mixture_bytes))


def link_parts(run: Path, work: Path) -> None:
    """What a run has prepared, as links: a file that is made anew takes the place of a link."""
    for name in (*layout.PARTS, layout.BEFORE):
        part = run / name
        if part.is_dir():
            shutil.copytree(part, work / name, copy_function=_link)
        elif part.is_file():
            _link(part, work / name)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copyfile(source, target)


@contextlib.contextmanager
def weights_kept(problem: Problem) -> Iterator[None]:
    """Afterwards the weights are what they were, and no gradient is left."""
    before = {name: weight.detach().clone() for name, weight in problem.model.named_parameters()}
    was_training = problem.model.training
    try:
        yield
    finally:
        import torch

        with torch.no_grad():
            for name, weight in problem.model.named_parameters():
                weight.copy_(before[name])
                weight.grad = None
        problem.model.train(was_training)
