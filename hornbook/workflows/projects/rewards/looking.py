"""How a model that is rewarded is looked at: answers drawn to held-out prompts, before and after.

The same random numbers are used each time, so that what differs is the model.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hornbook.core.clock import Clock
from hornbook.evaluate.hacking import AnswersOf, figures
from hornbook.models.causal_lm import CausalLM
from hornbook.training.forecast import timed
from hornbook.training.forgetting import General, Scores
from hornbook.training.rollouts import CheckedPrompt, Drawing, DrawnAnswers, seed_of
from hornbook.workflows.projects.rewards.request import RewardsRequest
from hornbook.workflows.runs.before import Room, Sizes, keep_before, known_before, sizes_of
from hornbook.workflows.runs.place import Place

ANSWERS = 4
"""Drawn to each prompt."""
_ROOMS = {"validation": Room(0.015, 4), "test": Room(0.06, 8), "general": Room(0.02, 4)}
"""Test and general text are looked at twice, validation several times."""
_APART = {"validation": 2**40, "test": 2**40 + 1}
"""Where steps are counted for the seeds of training: no run has so many."""


class AnswersLook(NamedTuple):
    """Of a part: figures of each prompt by name; the first answer to each and what it is worth."""

    figures: dict[str, list[float]]
    texts: list[str]
    rewards: list[float]

    def mean(self, name: str) -> float:
        """Over the prompts."""
        return float(np.mean(self.figures[name]))


class LookedBefore(NamedTuple):
    """What a model does before the first step. validation_s, rest_s: seconds of looking at that
    part, and at the others."""

    sizes: Sizes
    validation: AnswersLook
    test: AnswersLook
    general: Scores
    validation_s: float
    rest_s: float


def drawn_of(drawing: Drawing, part: str, prompts: Sequence[CheckedPrompt]) -> list[DrawnAnswers]:
    """The answers of a part, the same for the same weights."""
    seeds = [seed_of(drawing.loop.seed, _APART[part], at) for at in range(len(prompts))]
    return drawing.draw(prompts, ANSWERS, seeds, logs=True)


def look_of(drawn: Sequence[DrawnAnswers]) -> AnswersLook:
    """What answers come to."""
    return AnswersLook(
        figures([_answers_of(one) for one in drawn]),
        [one.answers[0].text for one in drawn],
        [float(one.rewards[0]) for one in drawn],
    )


_PARTS: dict[str, type] = {
    "sizes": Sizes, "validation": AnswersLook, "test": AnswersLook, "general": Scores,
}  # fmt: skip


def measured_before(request: RewardsRequest, place: Place) -> LookedBefore | None:
    """What was measured for this request in a run that was stopped."""
    return known_before(LookedBefore, _PARTS, request, place)


def measure(
    request: RewardsRequest,
    drawing: Drawing,
    prompts: dict[str, list[CheckedPrompt]],
    general: General,
    place: Place,
) -> LookedBefore:
    """Look at all parts, and write it down."""
    place.progress.say("Measuring what the model does before ...")

    def look(part: str) -> AnswersLook:
        return look_of(drawn_of(drawing, part, prompts[part]))

    validation, validation_s = timed(lambda: look("validation"))
    (test, other), rest_s = timed(lambda: (look("test"), general.score(drawing.model)))
    found = LookedBefore(
        Sizes(len(validation.texts), len(test.texts), len(other.sums)),
        validation,
        test,
        other,
        validation_s,
        rest_s,
    )
    keep_before(found, _PARTS, request, place)
    return found


def sizes_in_time(
    drawing: Drawing, prompts: dict[str, list[CheckedPrompt]], general: General, clock: Clock
) -> Sizes:
    """As many items of each part as there is time to look at; all without a limit."""
    every = Sizes(len(prompts["validation"]), len(prompts["test"]), len(general.windows))
    if not clock.limited:
        return every
    left_s = max(0.0, clock.left_s())
    prompt_s, window_s = _prompt_seconds(drawing, prompts), _window_seconds(drawing.model, general)
    each_s = {"validation": prompt_s, "test": prompt_s, "general": window_s}
    return sizes_of(every, each_s, _ROOMS, left_s)


def _prompt_seconds(drawing: Drawing, prompts: dict[str, list[CheckedPrompt]]) -> float:
    """Seconds to answer a prompt, where several are answered together."""
    some = prompts["validation"][:ANSWERS]
    return timed(lambda: drawn_of(drawing, "validation", some))[1] / len(some)


def _window_seconds(model: CausalLM, general: General) -> float:
    """Seconds to read a window of general text."""
    all_windows = general.windows
    general.windows = all_windows[:1]
    try:
        return timed(lambda: general.score(model))[1]
    finally:
        general.windows = all_windows


def _answers_of(one: DrawnAnswers) -> AnswersOf:
    return AnswersOf(
        one.prompt.ids,
        [answer.token_ids for answer in one.answers],
        [answer.text for answer in one.answers],
        one.rewards.tolist(),
        [answer.finish_reason != "stop" for answer in one.answers],
        [-float(np.mean([log.chosen for log in answer.logprobs])) for answer in one.answers],
    )
