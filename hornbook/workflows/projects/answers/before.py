"""How a model answers before the first step of its tuning."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hornbook.batches.conversations import Example
from hornbook.core.clock import Clock
from hornbook.models.causal_lm import CausalLM
from hornbook.training.forecast import timed
from hornbook.training.forgetting import General, Scores, example_losses
from hornbook.training.loop import LoopConfig
from hornbook.workflows.projects.answers.goal import Goal, Parts
from hornbook.workflows.projects.answers.request import AnswersRequest
from hornbook.workflows.runs.before import Room, Sizes, keep_before, known_before, sizes_of
from hornbook.workflows.runs.place import Place

_ROOMS = {"validation": Room(0.02, 10), "test": Room(0.06, 20), "general": Room(0.03, 4)}
"""Test and general text are scored twice."""
_PROBED = 512
"""Tokens read to learn how long one takes."""


class Before(NamedTuple):
    """What a model does: the loss on the validation part, the scores on test and general text.

    validation_s, rest_s: seconds of scoring that part, and the others.
    """

    sizes: Sizes
    validation: float
    test: Scores
    general: Scores
    validation_s: float
    rest_s: float


_PARTS: dict[str, type] = {"sizes": Sizes, "test": Scores, "general": Scores}


def measured_before(request: AnswersRequest, place: Place) -> Before | None:
    """What was measured for this request in a run that was stopped."""
    return known_before(Before, _PARTS, request, place)


def measure(
    request: AnswersRequest,
    model: CausalLM,
    goal: Goal,
    general: General,
    loop: LoopConfig,
    place: Place,
) -> Before:
    """Score all parts, and write it down."""
    place.progress.say("Measuring what the model does before ...")
    validation, validation_s = timed(lambda: goal.before("validation", loop))
    (test, other), rest_s = timed(lambda: (goal.before("test", loop), general.score(model)))
    found = Before(
        Sizes(*(len(scores.sums) for scores in (validation, test, other))),
        validation.ratio().value,
        test,
        other,
        validation_s,
        rest_s,
    )
    keep_before(found, _PARTS, request, place)
    return found


def sizes_in_time(
    model: CausalLM, parts: Parts, general: Sequence[Example], loop: LoopConfig, clock: Clock
) -> Sizes:
    """As many samples of each part as there is time to score; all without a limit."""
    sides = {"validation": parts.validation, "test": parts.test, "general": general}
    every = Sizes(**{name: len(side) for name, side in sides.items()})
    if not clock.limited:
        return every
    token_s, left_s = _token_seconds(model, general[0], loop), max(0.0, clock.left_s())
    each_s = {
        name: token_s * max(1.0, float(np.mean([_tokens(sample) for sample in side])))
        for name, side in sides.items()
    }
    return sizes_of(every, each_s, _ROOMS, left_s)


def _token_seconds(model: CausalLM, example: Example, loop: LoopConfig) -> float:
    """Seconds to read a token; kernels are prepared in the first call."""
    some, few = (Example(example.ids[:n], example.trained[:n]) for n in (_PROBED, 9))
    example_losses(model, [few], loop)
    return timed(lambda: example_losses(model, [some], loop))[1] / _tokens(some)


def _tokens(sample: Any) -> int:
    """Of an example, or of both of a pair."""
    if isinstance(sample, Example):
        return len(sample.ids) - 1
    return sum(len(example.ids) - 1 for example in sample)
