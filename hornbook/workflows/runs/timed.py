"""How many steps a tuning takes: so many passes, or as many as there is time for by a timed step.

There is no rehearsal: a law for how tunings go on is not known, and passes are few.
"""

import tempfile
from pathlib import Path
from typing import ClassVar, NamedTuple

from hornbook.adapt.method import parameter_counts
from hornbook.core.clock import Clock
from hornbook.core.machine import Machine
from hornbook.training.choices import Choice
from hornbook.training.forecast import timed as timing
from hornbook.training.keep_best import KeepBest
from hornbook.training.problem import Problem
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place
from hornbook.workflows.runs.recipe import MOST_EVALUATIONS, TimedRequest
from hornbook.workflows.runs.settle import Settlement, in_time, training_seconds

MOST_EPOCHS = 5
"""However many minutes are given: small data sets are known by heart by then."""
EVALUATING = 0.25
"""Of the minutes, what scoring the validation part may take while the model learns."""
EXAMPLES = 0.05
"""Of the minutes, what answers to show may take."""
_SAVING = 0.05
"""Of training, what checkpoints take at most: `runs.loop` is sparing with them."""
_UPDATING = 1.1
"""How much longer a step takes than its gradient."""


class TimedProblem(Problem):
    """A problem whose validation part was scored before the first step, in `score_s` seconds.

    most_passes: over the data, however many minutes are given.
    """

    most_passes: ClassVar[int] = MOST_EPOCHS

    untrained: float
    score_s: float

    def mean_step_s(self, first_s: float) -> float:
        """Seconds of a step, by those of the first one: where later ones do more."""
        return first_s


class Spent(NamedTuple):
    """Seconds that parts of the run take. validation: scoring it once. ending: scoring the rest
    again, answers to show, writing. keeping: writing the best weights once.
    """

    validation: float
    ending: float
    keeping: float


def timed(
    problem: TimedProblem,
    machine: Machine,
    steps: int | None,
    request: TimedRequest,
    place: Place,
) -> Settlement:
    """The steps asked for, or as many as there is time for; where it is short, of fewer rows."""
    clock, say = place.clock, place.progress.say
    machine, step_s = in_time(problem, machine, place)
    spent = _spent(problem, place)
    evaluations, why = evaluations_in_time(clock, spent)
    once, training_s = round(problem.steps_per_epoch), None
    reason = f"{request.passes:g} passes of {once} steps"
    if steps is None:
        mean_s, most = problem.mean_step_s(step_s), problem.most_passes
        steps, reason, training_s = steps_in_time(clock, spent, mean_s, evaluations, once, most)
    settled = [Choice("steps", steps, reason), Choice("evaluations", evaluations, why)]
    say(*(f"  {choice.name} = {choice.value}: {choice.reason}" for choice in settled))
    problem.choices += settled
    return Settlement(
        machine=machine,
        loop=problem.loop.model_copy(update={"steps": steps}),
        evaluations=evaluations,
        training_s=training_s,
    )


def _spent(problem: TimedProblem, place: Place) -> Spent:
    """What the parts of the run take, by what they took; writing is tried aside."""
    if not place.clock.limited:
        return Spent(0.0, 0.0, 0.0)
    state = problem.begin()
    with tempfile.TemporaryDirectory(prefix=".timing-", dir=place.folder) as aside:
        best = KeepBest(Path(aside) / layout.BEST, layout.SAVED, 1)
        keeping_s = timing(lambda: best.offer(state, problem.untrained))[1]
    moved, showing_s = parameter_counts(state.model), EXAMPLES * place.clock.given_s
    # Writing a small part says little of writing all.
    writing_s = min(keeping_s * moved.all / max(1, moved.trained), showing_s)
    ending_s = problem.ending_s(problem.score_s) + showing_s + writing_s
    return Spent(problem.score_s, ending_s, keeping_s)


def evaluations_in_time(clock: Clock, spent: Spent) -> tuple[int, str]:
    """How often to score the validation part, and why."""
    if not clock.limited:
        return MOST_EVALUATIONS, "spread over the steps"
    once = spent.validation + spent.keeping
    affordable = int(EVALUATING * max(0.0, clock.left_s()) / max(once, 1e-9))
    reason = f"at most; {once:.2f} s each, {EVALUATING:.0%} of the time for all"
    return min(MOST_EVALUATIONS, max(1, affordable)), reason


def steps_in_time(
    clock: Clock,
    spent: Spent,
    step_s: float,
    evaluations: int,
    once: int,
    most: int = MOST_EPOCHS,
) -> tuple[int, str, float]:
    """How many steps, why, and the seconds for them with all that is done between them.

    once: steps of a pass. most: passes.
    """
    training_s = training_seconds(clock, spent.ending)
    hooks_s = evaluations * (spent.validation + spent.keeping) + _SAVING * training_s
    room = max(training_s - hooks_s, 0.3 * training_s)
    steps = max(1, int(room / (_UPDATING * step_s)))
    if steps > most * once:
        reason = f"{most} passes, the most that minutes are spent on"
        return most * once, reason, training_s
    return steps, f"{step_s:.2f} s a step; {steps / once:.1f} passes", training_s
