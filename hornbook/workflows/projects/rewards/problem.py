"""Learning what is rewarded: the model with what may move of it, its prompts, how both are looked
at."""

from collections.abc import Sequence

from hornbook.core.machine import Machine
from hornbook.core.metrics import MetricsLog
from hornbook.datasets.samples import evenly
from hornbook.training.forgetting import General
from hornbook.training.loop import Hook
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
from hornbook.workflows.runs.tuning import TuningProblem, TuningSource, begun


class RewardsProblem(TuningProblem[RewardRows]):
    """What is missing of the reward. before: what the model did before the first step. log: where
    each step's answers are written down.

    Rewards stay where they are for a while before they rise, so training does not end early; the
    best weights are kept all the same.
    """

    measure = "missed"
    targets = "answers"
    patience = MOST_EVALUATIONS
    most_passes = 20
    uncompilable = "answers are of many lengths"

    plan: RewardsPlan
    batches: RolloutBatches

    def __init__(
        self,
        source: TuningSource[RewardRows],
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
        self.rest_s, self.log = before.rest_s, log

    @property
    def after_step(self) -> Sequence[Hook]:  # type: ignore[override]
        """Each step's answers are written down beside its loss."""
        return (self._logged,)

    def _logged(self, state: TrainState) -> None:
        found = {name: round(value, 6) for name, value in self.batches.last._asdict().items()}
        self.log.append(state.step, kind="answers", **found)

    def rows_of(self, size: int) -> int:
        return size * self.plan.group_size

    def look(self, part: str) -> AnswersLook:
        """At the part named validation or test."""
        return look_of(drawn_of(self.batches.drawing, part, self.prompts[part]))

    def score(self) -> dict[str, float]:
        found = self.look("validation")
        means = {name: found.mean(name) for name in found.figures}
        return {"missed": 1 - means["reward"], **means}

    def said(self, figures: dict[str, float]) -> str:
        return f"reward {figures['reward']:.3f}, {figures['length']:.0f} tokens an answer"


def prepare(
    source: TuningSource[RewardRows],
    request: RewardsRequest,
    plan: RewardsPlan,
    machine: Machine,
    place: Place,
) -> RewardsProblem:
    """Open the model and free what may move, keep what there is time to look at, measure it."""
    model, loop, general = begun(source, request, plan, SCHEDULE, machine, place)
    drawing = Drawing(model, source.tokenizer, request.program.score, plan.max_tokens, loop)
    prompts, before = _looked_before(source, request, plan, drawing, general, place)
    reference = as_it_is(model) if request.beta else None
    padding = source.tokenizer.pad_id or 0
    batches = RolloutBatches(
        drawing, prompts["train"], reference, plan.rows, plan.group_size, padding
    )
    log = MetricsLog(place.folder / layout.METRICS)
    return RewardsProblem(source, prompts, batches, general, before, request, plan, log)


def _looked_before(
    source: TuningSource[RewardRows],
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
