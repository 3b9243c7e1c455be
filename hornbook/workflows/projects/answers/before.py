"""What a model does before the first step of its tuning, measured once: a run that is resumed has
the figures and the samples of the beginning."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hornbook.batches.conversations import Example
from hornbook.core.clock import Clock
from hornbook.core.files import hash_json, read_json, write_json
from hornbook.models.causal_lm import CausalLM
from hornbook.training.forecast import timed
from hornbook.training.forgetting import General, Scores, example_losses
from hornbook.training.loop import LoopConfig
from hornbook.workflows.projects.answers.goal import Goal, Parts
from hornbook.workflows.projects.answers.request import AnswersRequest
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.place import Place

_SHARES = {"validation": 0.02, "test": 0.06, "general": 0.03}
"""Of what is left at the beginning, what scoring each part once may take; test and general text are
scored twice."""
_LEAST = {"validation": 10, "test": 20, "general": 4}
_STRETCHED, _FEWEST = 3, 2
"""Samples of each part that are scored where time is short, in up to so many times its share; and
however little time there is."""
_PROBED = 512
"""Tokens read to learn how long one takes."""


class Sizes(NamedTuple):
    """Samples of each part that are scored."""

    validation: int
    test: int
    general: int


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


def measured_before(request: AnswersRequest, place: Place) -> Before | None:
    """What was measured for this request in a run that was stopped."""
    path = place.folder / layout.BEFORE
    facts: dict[str, Any] = read_json(path) if path.is_file() else {}
    if facts.pop("request", None) != hash_json(request.plain()):
        return None
    kinds = {"sizes": Sizes, "test": Scores, "general": Scores}
    return Before(**{**facts, **{name: kind(**facts[name]) for name, kind in kinds.items()}})


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
    parts = {name: getattr(found, name)._asdict() for name in ("sizes", "test", "general")}
    facts = {"request": hash_json(request.plain()), **found._asdict(), **parts}
    write_json(place.folder / layout.BEFORE, facts)
    return found


def sizes_in_time(
    model: CausalLM, parts: Parts, general: Sequence[Example], loop: LoopConfig, clock: Clock
) -> Sizes:
    """As many samples of each part as there is time to score; all without a limit."""
    sides = {"validation": parts.validation, "test": parts.test, "general": general}
    if not clock.limited:
        return Sizes(**{name: len(side) for name, side in sides.items()})
    token_s, left_s = _token_seconds(model, general[0], loop), max(0.0, clock.left_s())
    found = {}
    for name, side in sides.items():
        each_s = token_s * max(1.0, float(np.mean([_tokens(sample) for sample in side])))
        room = _SHARES[name] * left_s / each_s
        most = max(room, min(_LEAST[name], _STRETCHED * room), _FEWEST)
        found[name] = min(len(side), int(most))
    return Sizes(**found)


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
