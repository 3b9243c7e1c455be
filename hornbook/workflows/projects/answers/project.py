"""Tuning a decoder to answer: rows in, a measured model folder and a report out."""

from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.datasets.samples import TaskRows
from hornbook.datasets.split import SampleSplit
from hornbook.models.folder import load_config
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.choices import Planned
from hornbook.workflows.projects.answers.problem import AnswersProblem, prepare
from hornbook.workflows.projects.answers.report import write_report
from hornbook.workflows.projects.answers.request import (
    AnswersPlan,
    AnswersRecipe,
    AnswersRequest,
    plan_of,
)
from hornbook.workflows.projects.answers.result import finish
from hornbook.workflows.projects.answers.rows import Encoded, encoded, split_rows
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.tuning import Files, Tuning, TuningSource, paths_of


class Answers(Tuning[AnswersRequest, AnswersRecipe, AnswersProblem, Encoded]):
    """A decoder, and rows that say what it should do.

    general: the text of the forgetting meter; Python's documentation if None. held_out: rows to
    measure on; some of `data` where there are none. Raises UsageError where there is no model.
    """

    kind = "answers"
    recipe = AnswersRecipe

    def __init__(
        self,
        model: Path | str,
        data: Files,
        general: Path | str | None = None,
        held_out: Files = (),
    ) -> None:
        super().__init__(model, data, general)
        self.held_out = paths_of(held_out)

    def asked(self, values: dict[str, Any]) -> AnswersRequest:
        return AnswersRequest.asked(values)

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self.data, *self.held_out)

    def places(self) -> dict[str, Any]:
        return {**super().places(), "held_out": [str(file.absolute()) for file in self.held_out]}

    def no_decoder(self) -> UsageError:
        return UsageError(
            f"{self.model} holds no decoder. Classifiers are tuned with --task classify, "
            "encoder-decoders with `hornbook pretrain --pairs`."
        )

    def says_template(self, request: AnswersRequest) -> bool:
        return request.task != "continue"

    def read(self, request: AnswersRequest, place: Place) -> tuple[TaskRows, SampleSplit]:
        return split_rows(request, self.data, self.held_out, place.progress)

    def encode(
        self, request: AnswersRequest, found: tuple[TaskRows, SampleSplit], tokenizer: Tokenizer
    ) -> Encoded:
        return encoded(request, *found, tokenizer, load_config(self.model).context)

    def plan(self, machine: Machine, request: AnswersRequest, place: Place) -> Planned[AnswersPlan]:
        """Read the rows and find sizes that they fit into."""
        config, data = load_config(self.model), self.opened(request, place).data
        return plan_of(request, data.lengths(), config.context, config.width)

    def prepare(
        self, request: AnswersRequest, plan: AnswersPlan, machine: Machine, place: Place
    ) -> AnswersProblem:
        source = self.opened(request, place)
        self._say_left_out(source, plan, place)
        return prepare(source, request, plan, machine, place)

    def _say_left_out(self, source: TuningSource[Encoded], plan: AnswersPlan, place: Place) -> None:
        if long := source.data.facts(plan.context)["too_long"]:
            place.progress.say(f"  Left out: {long:,} samples of more than {plan.context} tokens.")

    def finish(
        self,
        recipe: AnswersRecipe,
        problem: AnswersProblem,
        trained: Trained,
        facts: dict[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        return finish(recipe, problem, trained, facts, place)

    def report(self, problem: AnswersProblem, result: dict[str, Any], place: Place) -> None:
        recipe = self.recipe.load(place.folder)
        write_report(place.folder / layout.REPORT, place.folder, recipe, result)
