"""Tuning a decoder on what programs reward: rows in, a measured model folder and a report out."""

from typing import Any

from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine
from hornbook.core.ranks import require_one
from hornbook.datasets.samples import TaskRows
from hornbook.datasets.split import SampleSplit
from hornbook.models.folder import load_config
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.choices import Planned
from hornbook.workflows.projects.rewards.problem import RewardsProblem, prepare
from hornbook.workflows.projects.rewards.report import write_report
from hornbook.workflows.projects.rewards.request import (
    RewardsPlan,
    RewardsRecipe,
    RewardsRequest,
    plan_of,
)
from hornbook.workflows.projects.rewards.result import finish
from hornbook.workflows.projects.rewards.rows import RewardRows, encoded, split_rows
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Trained
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.tuning import Tuning


class Rewards(Tuning[RewardsRequest, RewardsRecipe, RewardsProblem, RewardRows]):
    """A decoder, and rows of prompts whose answers a program rewards.

    general: the text of the forgetting meter; Python's documentation if None. Raises UsageError
    where there is no model.
    """

    kind = "rewards"
    recipe = RewardsRecipe

    def asked(self, values: dict[str, Any]) -> RewardsRequest:
        require_one("--task reward")  # each process would draw all answers
        return RewardsRequest.asked(values)

    def no_decoder(self) -> UsageError:
        return UsageError(f"{self.model} holds no decoder, which is what --task reward tunes.")

    def read(self, request: RewardsRequest, place: Place) -> tuple[TaskRows, SampleSplit]:
        return split_rows(request, self.data, place.progress)

    def encode(
        self, request: RewardsRequest, found: tuple[TaskRows, SampleSplit], tokenizer: Tokenizer
    ) -> RewardRows:
        return encoded(*found, tokenizer, request.most_tokens[0])

    def plan(self, machine: Machine, request: RewardsRequest, place: Place) -> Planned[RewardsPlan]:
        """Read the rows and find sizes that they fit into."""
        config, data = load_config(self.model), self.opened(request, place).data
        return plan_of(request, data.lengths(), config.context, config.width)

    def prepare(
        self, request: RewardsRequest, plan: RewardsPlan, machine: Machine, place: Place
    ) -> RewardsProblem:
        source = self.opened(request, place)
        if long := source.data.facts(plan.context)["too_long"]:
            most = plan.context - plan.max_tokens
            place.progress.say(f"  Left out: {long:,} prompts of more than {most} tokens.")
        return prepare(source, request, plan, machine, place)

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
