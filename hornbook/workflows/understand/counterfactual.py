"""What would have become of a sentence: the training again, without it and without others.

Both trainings begin at one checkpoint and end where the run did. In the first the sentence is left
out, in the second as many other spans: what changes for those that were not left out is what chance
does.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from hornbook.core.errors import HornbookError
from hornbook.core.progress import Progress
from hornbook.core.stats import Estimate
from hornbook.explain.left_out import LeftOut, predicted, rank_correlation
from hornbook.explain.loss_of_spans import SpanLosses
from hornbook.explain.sentence import TokenSpan, positions_of
from hornbook.training.loop import train
from hornbook.training.precision import compile_layers
from hornbook.training.schedule import Cut
from hornbook.training.state import TrainState
from hornbook.workflows.understand.opened_run import Followed, OpenedRun, final_model, states

_WIDE = 1.96
"""Standard deviations on either side of a 95 % interval."""


def retrained(
    run: OpenedRun, followed: Followed, minutes: float, progress: Progress
) -> dict[str, Any]:
    """How much higher the loss of the sentence ends without it (nats a token), beside what chance
    does and what gradients foretold. Raises HornbookError where `minutes` are too few.
    """
    started = time.monotonic()
    begin = _begin(run, followed.spans, minutes)
    progress.say(f"Training again from step {begin:,}, twice ...")
    spans = [followed.spans[0], *followed.others]
    losses = SpanLosses(run.problem.train, spans, run.recipe.plan.context)
    before = losses.nats(final_model(run))
    left = (followed.spans, followed.others)
    without_it, without_others = (
        losses.nats(train_again(run, begin, spans_left, progress).model) - before
        for spans_left in left
    )
    # Left out were the sentence in the first training, all others in the second one.
    change = np.array([without_it[0], *without_others[1:]])
    chance = np.array([without_others[0], *without_it[1:]])
    wide = _WIDE * float(chance.std(ddof=1))
    told = _foretold(run, followed, begin, losses)
    return {
        "from_step": begin,
        "seconds": round(time.monotonic() - started, 1),
        "change": Estimate(change[0], change[0] - wide, change[0] + wide)._asdict(),
        "chance": float(chance[0]),
        "others": {
            "left_out": change[1:].tolist(),
            "kept": chance[1:].tolist(),
        },
        "foretold": told.tolist(),
        "correlation": rank_correlation(told, change)._asdict(),
    }


def _begin(run: OpenedRun, spans: Sequence[TokenSpan], minutes: float) -> int:
    """The first step from which both trainings fit into the minutes, and some step after which
    trained on the sentence."""
    seen = run.windows.steps_of(positions_of(spans), run.steps)
    if not seen:
        raise HornbookError(
            "No step of this run trained on the sentence; there is nothing to undo."
        )
    step_s = run.result["seconds"] / run.steps
    known = [state.step for state in states(run) if state.step <= max(seen)]
    needed = [2 * (run.steps - step) * step_s / 60 for step in known]
    for step, takes in zip(known, needed, strict=True):
        if takes <= minutes:
            return step
    raise HornbookError(
        f"Training again takes about {min(needed):.1f} minutes; give more than --minutes "
        f"{minutes:g}, or keep more checkpoints (`hornbook pretrain --keep`)."
    )


def train_again(
    run: OpenedRun, begin: int, left: Sequence[TokenSpan], progress: Progress
) -> TrainState:
    """The state at the end of the same training without some spans."""
    problem, recipe = run.problem, run.recipe
    state = next(state for state in states(run) if state.step == begin)
    cuts = [Cut(**cut) for cut in run.result["shortened"]]

    def cut(state: TrainState) -> None:
        state.cuts += [one for one in cuts if one.at == state.step and one not in state.cuts]

    batches = LeftOut(run.windows, positions_of(left))
    with progress.bar("training again", run.steps - begin, "steps") as advance:
        hooks = [*problem.after_step, cut, lambda state: advance(1)]
        if recipe.compiled:
            compile_layers(problem.model.get_submodule("stack"))
        try:
            train(state, problem.objective, batches, recipe.loop, hooks)
        finally:
            if recipe.compiled:
                compile_layers(problem.model.get_submodule("stack"), undo=True)
    return state


def _foretold(run: OpenedRun, followed: Followed, begin: int, losses: SpanLosses) -> np.ndarray:
    """(1 + others,) what gradients at the checkpoints from `begin` on say."""
    groups = [followed.spans, *([other] for other in followed.others)]
    seen = [
        {
            step: tokens
            for step, tokens in run.windows.steps_of(positions_of(group), run.steps).items()
            if step >= begin
        }
        for group in groups
    ]
    norms = {
        state.step: losses.gradient_norms(state.model)
        for state in states(run)
        if state.step >= begin
    }
    schedule, steps = run.recipe.loop.schedule, run.recipe.loop.steps
    cuts = [Cut(**cut) for cut in run.result["shortened"]]
    rates = [
        schedule.factor(step, steps, [cut for cut in cuts if cut.at <= step])
        for step in range(run.steps)
    ]
    return predicted(norms, seen, rates)
