"""The training loop with what every run does besides: log, validate, sample, save, stop on request.

Knows the run folder; knows nothing of families or data.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.metrics import MetricsLog
from hornbook.core.progress import Progress
from hornbook.train.checkpoint import save_checkpoint
from hornbook.train.hooks import StopRequest, every, log_to, record, stop_when
from hornbook.train.loop import Batches, Hook, LoopConfig, train
from hornbook.train.objective import Objective
from hornbook.train.state import TrainState
from hornbook.workflows import run as layout

HOOKS_SHARE = 0.06
"""Of the time given, what evaluations, samples and checkpoints may take."""
_EVALUATIONS, _SAMPLES, _CHECKPOINTS = 12, 5, 12
"""How often each happens in a run."""
_WARM_STEPS, _TIMED_STEPS = 3, 12
"""Steps before and while the time of a step is taken: batches differ in shape."""


class Job(NamedTuple):
    """What is trained, and how it is looked at.

    evaluate, sample: figures and texts of the model as it is now, for the logs. after_step: done
    first after every step. resume: the command that goes on with a stopped run.
    """

    objective: Objective
    batches: Batches
    loop: LoopConfig
    evaluate: Callable[[], dict[str, Any]]
    sample: Callable[[], dict[str, Any]]
    resume: str
    after_step: Sequence[Hook] = ()


def steps_within(
    minutes: float,
    started: float,
    state: TrainState,
    objective: Objective,
    batches: Batches,
    loop: LoopConfig,
) -> int:
    """How many steps fit into `minutes` since `started`, by timing a few with a state to lose."""
    train(state, objective, batches, loop.model_copy(update={"steps": _WARM_STEPS}))
    before, upto = state.elapsed_s, _WARM_STEPS + _TIMED_STEPS
    train(state, objective, batches, loop.model_copy(update={"steps": upto}))
    step_s = (state.elapsed_s - before) / _TIMED_STEPS
    left_s = minutes * 60 - (time.perf_counter() - started)
    return max(1, int(left_s * (1 - HOOKS_SHARE) / step_s))


def train_run(run: Path, state: TrainState, job: Job, progress: Progress) -> None:
    """Go from `state.step` to the job's last step. Raises Interrupted after Ctrl-C, all saved."""
    metrics, samples = MetricsLog(run / layout.METRICS), MetricsLog(run / layout.SAMPLES)
    metrics.rewind(state.step)
    samples.rewind(state.step)
    steps = job.loop.steps

    def save(state: TrainState) -> None:
        save_checkpoint(run / layout.CHECKPOINTS, state)

    request = StopRequest()
    hooks: list[Hook] = [
        *job.after_step,
        every(max(1, steps // 400), steps, log_to(metrics)),
        every(-(-steps // _EVALUATIONS), steps, record(metrics, "validation", job.evaluate)),
        every(-(-steps // _SAMPLES), steps, record(samples, "sample", job.sample)),
        every(-(-steps // _CHECKPOINTS), steps, save),
        stop_when(request, save, job.resume),
    ]
    with request.listening(), progress.bar("training", steps - state.step, "steps") as advance:
        hooks.append(lambda state: advance(1))
        train(state, job.objective, job.batches, job.loop, hooks)
