"""Distillation: a decoder, a larger one with its tokenizer, rows or texts; a measured model out."""

from pathlib import Path
from typing import Any, Self

from hornbook.adapt.peft import base_of
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.datasets.tables import FORMATS
from hornbook.models.folder import load_config
from hornbook.models.place import resolve
from hornbook.read.sources import format_of
from hornbook.training.choices import Choice, Planned
from hornbook.workflows.projects.answers.data import read_rows
from hornbook.workflows.projects.answers.project import Answers
from hornbook.workflows.projects.answers.request import AnswersRecipe, plan_of
from hornbook.workflows.projects.answers.result import Further, finish
from hornbook.workflows.projects.distil.compared import OWN_UNIT, against_plain
from hornbook.workflows.projects.distil.prepare import compares, prepare
from hornbook.workflows.projects.distil.problem import DistilProblem
from hornbook.workflows.projects.distil.request import (
    DistilPlan,
    DistilRecipe,
    DistilRequest,
    rates,
)
from hornbook.workflows.projects.distil.teacher import Teacher
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.settle import Settlement
from hornbook.workflows.runs.timed import timed
from hornbook.workflows.runs.tuning import Files

_LOOKED_AT = 50
"""Rows by which it is known what a file holds."""


def settled(
    problem: DistilProblem,
    machine: Machine,
    steps: int | None,
    request: DistilRequest,
    place: Place,
) -> Settlement:
    """As other tunings; where a plain one is compared with, each has half of the time."""
    clock = place.clock
    if clock.limited and problem.taught is not None and compares(request, place):
        before = problem.before
        taken_s = problem.taught.seconds + before.validation_s + before.rest_s
        half_s = max(0.0, clock.left_s() - taken_s) / 2
        place = place._replace(clock=Clock.start(half_s / 60))
    return timed(problem, machine, steps, request, place)


class Distil(Answers):
    """A decoder, a teacher with the same tokenizer, and rows or texts to learn from.

    general, held_out: as in `Answers`. Raises UsageError where there is no model, or the teacher is
    none.
    """

    kind = "distil"
    recipe: type[AnswersRecipe] = DistilRecipe
    settle = staticmethod(settled)

    def __init__(
        self,
        model: Path | str,
        teacher: Path | str,
        data: Files,
        general: Path | str | None = None,
        held_out: Files = (),
    ) -> None:
        super().__init__(model, data, general, held_out)
        self.teacher = Teacher(resolve(Path(teacher)))

    def asked(self, values: dict[str, Any]) -> DistilRequest:
        return DistilRequest.asked(values)

    def fingerprints(self, request: DistilRequest) -> dict[str, Any]:  # type: ignore[override]
        teacher = base_of(self.teacher.place).weights
        found = super().fingerprints(request)
        if teacher == found["base"]:
            raise UsageError(f"--teacher {self.teacher.place} is the model that is to learn.")
        return {**found, "teacher": teacher, "task": self._rows()}

    def _rows(self) -> str:
        """Whether the files hold conversations, or texts: by their first rows."""
        tables = all(format_of(file) in FORMATS for file in self.data)
        if tables and read_rows("instruct", self.data[:1], most=_LOOKED_AT).samples:
            return "instruct"
        return "continue"

    def places(self) -> dict[str, Any]:
        return {**super().places(), "teacher": str(self.teacher.place.absolute())}

    @classmethod
    def reopen(cls, recipe: DistilRecipe) -> Self:  # type: ignore[override]
        return cls(**recipe.places)

    def plan(  # type: ignore[override]
        self, machine: Machine, request: DistilRequest, place: Place
    ) -> Planned[DistilPlan]:
        """Sizes that the rows fit into, student and teacher both."""
        config, other = load_config(self.model), self.teacher.config
        self.teacher.require_like(self.model)
        data = self.opened(request, place).data
        context = min(config.context, other.context)
        found = plan_of(request, data.lengths(), context, config.width)
        choices, optimiser = found.choices, found.plan.optimiser
        if request.method.kind == "full":
            optimiser, why = rates(request.rate)
            rate = Choice("rate", optimiser.matrix_rate, why)
            choices = [rate if one.name == "rate" else one for one in choices]
        values = {**found.plan.plain(), "optimiser": optimiser.plain()}
        rows = "conversations" if request.task == "instruct" else "texts"
        choices = [*choices, Choice("rows hold", rows, "by the first of them")]
        return Planned(DistilPlan.parse(values, "the plan"), choices)

    def prepare(  # type: ignore[override]
        self, request: DistilRequest, plan: DistilPlan, machine: Machine, place: Place
    ) -> DistilProblem:
        source = self.opened(request, place)
        self._say_left_out(source, plan, place)
        place.progress.say(
            f"Teacher: {self.teacher.place}, {self.teacher.parameters:,} parameters; the student "
            f"has {load_config(self.model).parameters():,}."
        )
        return prepare(source, self.teacher, request, plan, machine, place)

    def finish(  # type: ignore[override]
        self,
        recipe: DistilRecipe,
        problem: DistilProblem,
        trained: Trained,
        facts: dict[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        taught, then = problem.taught, problem.own_before
        assert taught is not None and then is not None

        def further() -> Further:
            own = problem.own_text("test")
            learned = {
                "teacher": str(self.teacher.place),
                "teacher_parameters": self.teacher.parameters,
                "teacher_seconds": taught.seconds,
                "samples": len(taught.examples),
                "own_text": {
                    "unit": OWN_UNIT,
                    "items": len(own.sums),
                    "before": then.ratio()._asdict(),
                    "after": own.ratio()._asdict(),
                    "change": own.change(then)._asdict(),
                },
            }
            if not compares(recipe.request, place):
                alone = recipe.request.compare
                why = "The gain over plain tuning is not measured by several processes."
                return Further({"distil": learned}, [why] if alone else [])
            found = against_plain(problem, recipe, trained, place)
            return Further({"distil": learned, **found.facts}, found.lines)

        return finish(recipe, problem, trained, facts, place, further)
