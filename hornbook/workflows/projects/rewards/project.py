"""Tuning a decoder on what programs reward: rows in, a measured model folder and a report out."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from hornbook.adapt.peft import Base, base_of
from hornbook.core.errors import UsageError
from hornbook.core.files import hash_json
from hornbook.core.machine import Machine
from hornbook.core.ranks import require_one
from hornbook.models.causal_lm import CausalLMConfig
from hornbook.models.convert import to_hf
from hornbook.models.folder import load_config
from hornbook.models.place import resolve
from hornbook.tokenize.answers import with_template
from hornbook.tokenize.gguf import tokenizer_folder
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.choices import Planned
from hornbook.training.forgetting import general_text
from hornbook.workflows.projects.rewards.problem import RewardSource, RewardsProblem, prepare
from hornbook.workflows.projects.rewards.report import write_report
from hornbook.workflows.projects.rewards.request import (
    RewardsPlan,
    RewardsRecipe,
    RewardsRequest,
    plan_of,
)
from hornbook.workflows.projects.rewards.result import finish
from hornbook.workflows.projects.rewards.rows import encoded, split_rows
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.project import Project, file_fingerprint
from hornbook.workflows.runs.timed import timed


class Rewards(Project[RewardsRequest, RewardsRecipe, RewardsProblem]):
    """A decoder, and rows of prompts whose answers a program rewards.

    general: the text of the forgetting meter; Python's documentation if None. Raises UsageError
    where there is no model.
    """

    kind = "rewards"
    command = "finetune"
    recipe = RewardsRecipe
    settle = staticmethod(timed)

    def __init__(
        self,
        model: Path | str,
        data: Path | str | Sequence[Path | str],
        general: Path | str | None = None,
    ) -> None:
        self.model = resolve(Path(model))
        self.data = tuple(map(Path, [data] if isinstance(data, Path | str) else data))
        self.general = Path(general) if general else None
        self._source: tuple[RewardsRequest, Path, RewardSource] | None = None

    @cached_property
    def base(self) -> Base:
        """What is tuned, by its fingerprints."""
        return base_of(self.model)

    def asked(self, values: dict[str, Any]) -> RewardsRequest:
        require_one("--task reward")  # each process would draw all answers
        return RewardsRequest.asked(values)

    def fingerprints(self, request: RewardsRequest) -> dict[str, Any]:
        data = tuple(map(file_fingerprint, self.data))
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
        }

    @classmethod
    def reopen(cls, recipe: RewardsRecipe) -> Self:
        return cls(**recipe.places)

    def plan(self, machine: Machine, request: RewardsRequest, place: Place) -> Planned[RewardsPlan]:
        """Read the rows and find sizes that they fit into."""
        config, data = load_config(self.model), self._opened(request, place).data
        return plan_of(request, data.lengths(), config.context, config.width)

    def prepare(
        self, request: RewardsRequest, plan: RewardsPlan, machine: Machine, place: Place
    ) -> RewardsProblem:
        source = self._opened(request, place)
        if long := source.data.facts(plan.context)["too_long"]:
            most = plan.context - plan.max_tokens
            place.progress.say(f"  Left out: {long:,} prompts of more than {most} tokens.")
        return prepare(source, request, plan, machine, place)

    def steps(self, request: RewardsRequest, problem: RewardsProblem) -> int | None:
        if request.minutes is not None:
            return None
        return max(1, round(request.passes * problem.steps_per_epoch))

    def finish(
        self,
        recipe: RewardsRecipe,
        problem: RewardsProblem,
        trained: Trained,
        facts: dict[str, Any],
        place: Place,
    ) -> dict[str, Any]:
        return finish(recipe, problem, trained, facts, place)

    def report(self, problem: RewardsProblem, result: dict[str, Any], place: Place) -> None:
        write_report(place.folder / layout.REPORT, place.folder, result)

    def _opened(self, request: RewardsRequest, place: Place) -> RewardSource:
        """The tokenizer and the rows, read once; what would fail after the tuning fails now."""
        if self._source is not None and self._source[:2] == (request, place.folder):
            return self._source[2]
        say, config = place.progress.say, load_config(self.model)
        if not isinstance(config, CausalLMConfig):
            raise UsageError(f"{self.model} holds no decoder, which is what --task reward tunes.")
        to_hf(config)
        place.progress.doing("reading the rows")
        rows, parts = split_rows(request, self.data, place.progress)
        folder = tokenizer_folder(self.model, place.folder / layout.TOKENIZER, layout.PART)
        folder, said = with_template(folder, place.folder / layout.CHAT_TOKENIZER, layout.PART)
        tokenizer = Tokenizer.load(folder)
        say(f"  Template: {said}.")
        data = encoded(rows, parts, tokenizer, request.most_tokens[0])
        if data.refused:
            say(f"  Left out: {len(data.refused):,} rows; the first, {data.refused[0]}")
        general = general_text(self.general)
        source = RewardSource(self.model, self.base, tokenizer, folder, data, general)
        self._source = request, place.folder, source
        return source
