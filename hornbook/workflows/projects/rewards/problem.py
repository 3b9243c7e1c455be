"""Learning what is rewarded: the model with what may move of it, its prompts, how both are looked
at."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from hornbook.adapt.method import parameter_counts
from hornbook.adapt.peft import Base
from hornbook.core.machine import Machine
from hornbook.core.metrics import MetricsLog
from hornbook.datasets.samples import evenly
from hornbook.datasets.split import wording
from hornbook.models.causal_lm import CausalLM
from hornbook.models.folder import load_model
from hornbook.tokenize.tokenizer import Tokenizer
from hornbook.training.forgetting import General
from hornbook.training.loop import Hook, LoopConfig
from hornbook.training.optimiser import Optimiser
from hornbook.training.policy import as_it_is, improve
from hornbook.training.rollouts import CheckedPrompt, Drawing, RolloutBatches
from hornbook.training.state import TrainState
from hornbook.workflows.projects.rewards.looking import (
    AnswersLook,
    LookedBefore,
    drawn_of,
    look_of,
    measure,
    measured_before,
    sizes_in_time,
)
from hornbook.workflows.projects.rewards.request import SCHEDULE, RewardsPlan, RewardsRequest
from hornbook.workflows.projects.rewards.rows import RewardRows
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.recipe import MOST_EVALUATIONS
from hornbook.workflows.runs.timed import TimedProblem

_WINDOW = 512
"""Tokens of general text that are read at once, at most."""


class RewardSource(NamedTuple):
    """What is tuned and on what. place: of the model. general: text to see what is forgotten.

    tokenizer_folder: the tokenizer with a chat template.
    """

    place: Path
    base: Base
    tokenizer: Tokenizer
    tokenizer_folder: Path
    data: RewardRows
    general: str


class RewardsProblem(TimedProblem):
    """What is missing of the reward. general: the forgetting meter. before: what the model did
    before the first step. log: where each step's answers are written down.

    Rewards stay where they are for a while before they rise, so training does not end early; the
    best weights are kept all the same. Nothing moves the weights before the loop does.
    """

    measure = "missed"
    targets = "answers"
    patience = MOST_EVALUATIONS
    most_passes = 20
    uncompilable = "answers are of many lengths"

    model: CausalLM
    plan: RewardsPlan
    batches: RolloutBatches

    def __init__(
        self,
        source: RewardSource,
        prompts: dict[str, list[CheckedPrompt]],
        batches: RolloutBatches,
        general: General,
        before: LookedBefore,
        request: RewardsRequest,
        plan: RewardsPlan,
        log: MetricsLog,
    ) -> None:
        self.source, self.prompts, self.batches = source, prompts, batches
        self.general, self.before, self.request, self.plan = general, before, request, plan
        self.model, self.loop = batches.drawing.model, batches.drawing.loop
        self.objective = improve(request.beta)
        self.untrained, self.score_s = 1 - before.validation.mean("reward"), before.validation_s
        self.steps_per_epoch = batches.steps_per_epoch
        self.log = log

    @property
    def after_step(self) -> Sequence[Hook]:  # type: ignore[override]
        """Each step's answers are written down beside its loss."""
        return (self._logged,)

    def _logged(self, state: TrainState) -> None:
        found = {name: round(value, 6) for name, value in self.batches.last._asdict().items()}
        self.log.append(state.step, kind="answers", **found)

    def resize(self, size: int) -> None:
        at_once = min(size * self.plan.group_size, self.plan.micro_rows)
        self.plan = self.plan.model_copy(update={"rows": size, "micro_rows": at_once})
        self.loop = self.loop.model_copy(update={"micro_rows": at_once})
        self.batches = self.batches.of(size)
        self.steps_per_epoch = self.batches.steps_per_epoch

    def begin(self) -> TrainState:
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        return TrainState(self.model, Optimiser(self.model, self.plan.optimiser, dtype))

    def look(self, part: str) -> AnswersLook:
        """At the part named validation or test."""
        return look_of(drawn_of(self.batches.drawing, part, self.prompts[part]))

    def score(self) -> dict[str, float]:
        found = self.look("validation")
        means = {name: found.mean(name) for name in found.figures}
        return {"missed": 1 - means["reward"], **means}

    def said(self, figures: dict[str, float]) -> str:
        return f"reward {figures['reward']:.3f}, {figures['length']:.0f} tokens an answer"

    @property
    def tokenizer(self) -> Tokenizer:
        """With the chat template that is trained with."""
        return self.source.tokenizer

    def sides(self) -> tuple[Iterable[str], Iterable[str]]:
        parts = self.source.data.split
        return map(wording, parts.train), map(wording, (*parts.validation, *parts.test))

    def ending_s(self, score_s: float) -> float:
        return self.before.rest_s


def prepare(
    source: RewardSource, request: RewardsRequest, plan: RewardsPlan, machine: Machine, place: Place
) -> RewardsProblem:
    """Open the model and free what may move, keep what there is time to look at, measure it."""
    say = place.progress.say
    model = load_model(source.place, machine.device, torch.float32)
    assert isinstance(model, CausalLM)
    request.method.apply(model, request.seed)
    moved = parameter_counts(model)
    say(
        f"Method {request.method}: {moved.trained:,} of {moved.all:,} parameters move, "
        f"{moved.trained / moved.all:.2%}."
    )
    loop = LoopConfig(
        steps=1,
        micro_rows=plan.micro_rows,
        schedule=SCHEDULE,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )
    drawing = Drawing(model, source.tokenizer, request.program.score, plan.max_tokens, loop)
    general = General(source.general, source.tokenizer, min(model.config.context, _WINDOW), loop)
    prompts, before = _looked_before(source, request, plan, drawing, general, place)
    reference = as_it_is(model) if request.beta else None
    padding = source.tokenizer.pad_id or 0
    batches = RolloutBatches(
        drawing, prompts["train"], reference, plan.rows, plan.group_size, padding
    )
    log = MetricsLog(place.folder / layout.METRICS)
    return RewardsProblem(source, prompts, batches, general, before, request, plan, log)


def _looked_before(
    source: RewardSource,
    request: RewardsRequest,
    plan: RewardsPlan,
    drawing: Drawing,
    general: General,
    place: Place,
) -> tuple[dict[str, list[CheckedPrompt]], LookedBefore]:
    """The prompts of each part that there is time to look at, and what is seen before."""
    say, prompts = place.progress.say, source.data.fitting(plan.context)
    known = measured_before(request, place)
    sizes = known.sizes if known else sizes_in_time(drawing, prompts, general, place.clock)
    for name, size in zip(("validation", "test"), sizes, strict=False):
        if size < len(prompts[name]):
            say(f"  {size:,} of {len(prompts[name]):,} {name} prompts are asked, as time is short")
        prompts[name] = evenly(prompts[name], size)
    general.keep(evenly(range(len(general.windows)), sizes.general))
    before = known or measure(request, drawing, prompts, general, place)
    say(
        f"Before: reward {before.test.mean('reward'):.3f} held out, "
        f"{before.general.ratio().value:.4f} bits per byte of general text."
    )
    if not before.validation.mean("reward") + before.test.mean("reward"):
        say("  Warning: no answer to a held-out prompt is rewarded; there may be nothing to learn.")
    return prompts, before
