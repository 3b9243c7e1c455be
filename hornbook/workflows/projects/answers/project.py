"""Tuning a decoder to answer: rows in, a measured model folder and a report out."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hornbook.adapt.peft import Base, base_of
from hornbook.core.errors import UsageError
from hornbook.core.files import hash_json
from hornbook.core.machine import Machine
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_config
from hornbook.models.place import resolve
from hornbook.tokenize.answers import with_template
from hornbook.tokenize.gguf import tokenizer_folder
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.choices import Planned
from hornbook.training.forgetting import general_text
from hornbook.workflows.projects.answers.problem import AnswersProblem, Source, prepare
from hornbook.workflows.projects.answers.report import write_report
from hornbook.workflows.projects.answers.request import (
    AnswersPlan,
    AnswersRecipe,
    AnswersRequest,
    plan_of,
)
from hornbook.workflows.projects.answers.result import finish
from hornbook.workflows.projects.answers.rows import encoded, split_rows
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project, file_fingerprint
from hornbook.workflows.runs.timed import timed

Files = Path | str | Sequence[Path | str]


class Answers(Project[AnswersRequest, AnswersRecipe, AnswersProblem]):
    """A decoder, and rows that say what it should do.

    general: the text of the forgetting meter; Python's documentation if None. held_out: rows to
    measure on; some of `data` where there are none. Raises UsageError where there is no model.
    """

    kind = "answers"
    command = "finetune"
    recipe = AnswersRecipe
    settle = staticmethod(timed)

    def __init__(
        self,
        model: Path | str,
        data: Files,
        general: Path | str | None = None,
        held_out: Files = (),
    ) -> None:
        self.model = resolve(Path(model))
        self.data, self.held_out = _paths(data), _paths(held_out)
        self.general = Path(general) if general else None
        self._source: tuple[AnswersRequest, Path, Source] | None = None

    @cached_property
    def base(self) -> Base:
        """What is tuned, by its fingerprints."""
        return base_of(self.model)

    def asked(self, values: dict[str, Any]) -> AnswersRequest:
        return AnswersRequest.asked(values)

    def fingerprints(self, request: AnswersRequest) -> dict[str, Any]:
        data = tuple(map(file_fingerprint, (*self.data, *self.held_out)))
        if self.general is not None and file_fingerprint(self.general) in data:
            raise UsageError(
                f"--general {self.general} is what the model is tuned on; name another text."
            )
        return {
            "base": self.base.weights,
            "tokenizer": self.base.tokenizer,
            "data": data,
            "general": hash_json(general_text(self.general)),
        }

    def places(self) -> dict[str, Any]:
        return {
            "model": str(self.model.absolute()),
            "data": [str(file.absolute()) for file in self.data],
            "general": str(self.general.absolute()) if self.general else None,
            "held_out": [str(file.absolute()) for file in self.held_out],
        }

    @classmethod
    def reopen(cls, recipe: AnswersRecipe) -> Self:
        return cls(**recipe.places)

    def plan(self, machine: Machine, request: AnswersRequest, place: Place) -> Planned[AnswersPlan]:
        """Read the rows and find sizes that they fit into."""
        config, data = load_config(self.model), self._opened(request, place).data
        return plan_of(request, data.lengths(), config.context, config.width)

    def prepare(
        self, request: AnswersRequest, plan: AnswersPlan, machine: Machine, place: Place
    ) -> AnswersProblem:
        source = self._opened(request, place)
        self._say_left_out(source, plan, place)
        return prepare(source, request, plan, machine, place)

    def _say_left_out(self, source: Source, plan: AnswersPlan, place: Place) -> None:
        if long := source.data.facts(plan.context)["too_long"]:
            place.progress.say(f"  Left out: {long:,} samples of more than {plan.context} tokens.")

    def steps(self, request: AnswersRequest, problem: AnswersProblem) -> int | None:
        if request.minutes is not None:
            return None
        return max(1, round(request.passes * problem.steps_per_epoch))

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

    def _opened(self, request: AnswersRequest, place: Place) -> Source:
        """The tokenizer and the rows, read once; what would fail after the tuning fails now."""
        if self._source is not None and self._source[:2] == (request, place.folder):
            return self._source[2]
        say, config = place.progress.say, load_config(self.model)
        if not isinstance(config, CausalLMConfig):
            raise UsageError(
                f"{self.model} holds no decoder. Classifiers are tuned with --task classify, "
                "encoder-decoders with `hornbook pretrain --pairs`."
            )
        to_hf(config)
        place.progress.doing("reading the rows")
        rows, parts = split_rows(request, self.data, self.held_out, place.progress)
        folder = tokenizer_folder(self.model, place.folder / layout.TOKENIZER, layout.PART)
        folder, said = with_template(folder, place.folder / layout.CHAT_TOKENIZER, layout.PART)
        tokenizer = Tokenizer.load(folder)
        if request.task != "continue":
            say(f"  Template: {said}.")
        data = encoded(request, rows, parts, tokenizer, config.context)
        if data.refused:
            say(f"  Left out: {len(data.refused):,} rows; the first, {data.refused[0]}")
        general = general_text(self.general)
        source = Source(self.model, self.base, tokenizer, folder, data, general)
        self._source = request, place.folder, source
        return source


def _paths(files: Files) -> tuple[Path, ...]:
    return tuple(map(Path, [files] if isinstance(files, Path | str) else files))
