"""How a tuning fits into its minutes: on what it is measured, how large and many steps are.

What would take too long is made smaller before it begins: fewer held-out samples, fewer rows a
step. Knows what things take, by trying them; trains nothing.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from hornbook.batches.conversations import Example
from hornbook.core.clock import Clock
from hornbook.models.causal_lm import CausalLM
from hornbook.train.loop import LoopConfig, gradient
from hornbook.workflows.projects.answers.goal import Goal, Parts, example_losses
from hornbook.workflows.projects.answers.request import MOST_EPOCHS, FinetunePlan
from hornbook.workflows.runs.recipe import MOST_EVALUATIONS
from hornbook.workflows.runs.settle import training_seconds

Sample = TypeVar("Sample")

EVALUATING = 0.25
"""Of the minutes, what scoring the validation part may take while the model learns."""
EXAMPLES = 0.05
"""Of the minutes, what answers to show may take."""
_SHARES = {"validation": 0.02, "test": 0.06, "general": 0.03}
"""Of what is left at the beginning, what scoring each part once may take; test and general text are
scored twice."""
_LEAST = {"validation": 10, "test": 20, "general": 4}
"""Samples of each part that are scored however little time there is."""
_PROBED = 512
"""Tokens read to learn how long one takes."""
_FEWEST_STEPS = 30
"""A tuning of fewer steps learns next to nothing: better more of them with fewer rows."""
_WRITES = 36
"""How many times as long as keeping the best weights once all checkpoints take: a dozen, each with
two moments of the optimiser."""


class Sizes(NamedTuple):
    """Samples of each part that are scored."""

    validation: int
    test: int
    general: int


def evenly(samples: Sequence[Sample], count: int) -> list[Sample]:
    """At most `count` of them, evenly spread."""
    places = np.linspace(0, len(samples) - 1, min(count, len(samples))).astype(int)
    return [samples[i] for i in places]


def sizes_in_time(
    model: CausalLM,
    parts: Parts,
    general: Sequence[Example],
    plan: FinetunePlan,
    loop: LoopConfig,
    clock: Clock,
) -> Sizes:
    """As many samples of each part as there is time to score; all without a limit."""
    sides = {"validation": parts.validation, "test": parts.test, "general": general}
    if not clock.limited:
        return Sizes(**{name: len(side) for name, side in sides.items()})
    token_s, left_s = _token_seconds(model, general, plan, loop), max(0.0, clock.left_s())
    found = {}
    for name, side in sides.items():
        each_s = token_s * max(1.0, float(np.mean([_tokens(sample) for sample in side])))
        room = int(_SHARES[name] * left_s / each_s)
        found[name] = min(len(side), max(_LEAST[name], room))
    return Sizes(**found)


def _token_seconds(
    model: CausalLM, general: Sequence[Example], plan: FinetunePlan, loop: LoopConfig
) -> float:
    """Seconds to read a token, of some; kernels are prepared in the first call."""
    some = [Example(e.ids[:_PROBED], e.trained[:_PROBED]) for e in general[:1]]
    example_losses(model, [Example(e.ids[:9], e.trained[:9]) for e in some], 1, 0, loop)
    started = time.perf_counter()
    example_losses(model, some, plan.micro_rows, 0, loop)
    return (time.perf_counter() - started) / sum(map(_tokens, some))


def _tokens(sample: Any) -> int:
    """Of an example, or of both of a pair."""
    if isinstance(sample, Example):
        return len(sample.ids) - 1
    return sum(len(example.ids) - 1 for example in sample)


class Step(NamedTuple):
    """seconds: of a step of `rows`, without the update; the weights stay as they are."""

    rows: int
    seconds: float

    def of(self, rows: int) -> "Step":
        """One of so many rows."""
        return Step(rows, self.seconds * rows / self.rows)

    def fitting(self, seconds: float) -> int:
        """Rows of a step of which so many seconds hold some: at least one, at most these."""
        affordable = seconds / _FEWEST_STEPS / self.seconds
        return max(1, min(self.rows, int(affordable * self.rows)))


def step_of(model: CausalLM, goal: Goal, plan: FinetunePlan, loop: LoopConfig) -> Step:
    """What a step takes, by a part of one."""
    model.train()
    started = time.perf_counter()
    batch = goal.batches.batch(0)  # preferences ask their reference first
    asking_s = time.perf_counter() - started
    part = next(iter(batch.split(loop.micro_rows)))
    took = []
    for _ in range(2):
        started = time.perf_counter()
        gradient(model, goal.objective, part, loop)
        took.append(time.perf_counter() - started)
        model.zero_grad()
    return Step(plan.rows, asking_s + min(took) * plan.rows / min(plan.rows, loop.micro_rows))


class Spent(NamedTuple):
    """Seconds that parts of the run take. validation: scoring it once. ending: scoring the rest
    again, answers to show, writing. keeping: writing the best weights once.
    """

    validation: float
    ending: float
    keeping: float


def evaluations_in_time(clock: Clock, spent: Spent) -> tuple[int, str]:
    """How often to score the validation part, and why."""
    if not clock.limited:
        return MOST_EVALUATIONS, "spread over the steps"
    once = spent.validation + spent.keeping
    affordable = int(EVALUATING * max(0.0, clock.left_s()) / max(once, 1e-9))
    reason = f"at most; {once:.2f} s each, {EVALUATING:.0%} of the time for all"
    return min(MOST_EVALUATIONS, max(1, affordable)), reason


def steps_in_time(
    clock: Clock, spent: Spent, step_s: float, evaluations: int, once: int
) -> tuple[int, str, float]:
    """How many steps, why, and the seconds for them with all that is done between them.

    once: steps of a pass.
    """
    training_s = training_seconds(clock, spent.ending)
    hooks_s = evaluations * (spent.validation + spent.keeping) + _WRITES * spent.keeping
    room = max(training_s - hooks_s, 0.3 * training_s)
    steps = max(1, int(room / (1.1 * step_s)))
    if steps > MOST_EPOCHS * once:
        reason = f"{MOST_EPOCHS} passes, the most that minutes are spent on"
        return MOST_EPOCHS * once, reason, training_s
    return steps, f"{step_s:.2f} s a step; {steps / once:.1f} passes", training_s
