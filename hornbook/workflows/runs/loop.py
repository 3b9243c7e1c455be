"""The training loop with what every run does besides: log, validate, sample, save, stop on request.

Knows the run folder; knows nothing of families or data.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hornbook.core.clock import NO_LIMIT, Clock
from hornbook.core.metrics import MetricsLog
from hornbook.core.progress import Progress
from hornbook.core.threads import own, use
from hornbook.train.checkpoint import save_checkpoint
from hornbook.train.forecast import part_of_step
from hornbook.train.hooks import StopRequest, every, log_to, record, remarked, stop_when
from hornbook.train.loop import Batches, Hook, LoopConfig, train
from hornbook.train.objective import Objective
from hornbook.train.pace import Pace, Threads
from hornbook.train.schedule import last_step
from hornbook.train.state import TrainState
from hornbook.workflows.runs import folder as layout

_CHECKPOINTS = 12
"""How many there are in a run, at most."""


class Job(NamedTuple):
    """What is trained, and how it is looked at.

    evaluate, sample: figures and texts of the model as it is now, for the logs; some models have no
    samples. after_step: done first after every step. command: what goes on with a stopped run.
    evaluations, samples: how many there are in the whole run. clock: until when it must have ended;
    a run that is too slow for it is shortened.
    """

    objective: Objective
    batches: Batches
    loop: LoopConfig
    evaluate: Callable[[], dict[str, Any]]
    sample: Callable[[], dict[str, Any]] | None = None
    after_step: Sequence[Hook] = ()
    command: str = "pretrain"
    evaluations: int = layout.MOST_EVALUATIONS
    samples: int = layout.MOST_SAMPLES
    clock: Clock = NO_LIMIT


def training_clock(settled: layout.Settled, state: TrainState, limited: bool) -> Clock:
    """The time for the steps that are left, as it was forecast or as steps took until now.

    limited: where steps or tokens were asked for, nothing is shortened.
    """
    if not limited:
        return NO_LIMIT
    steps, expected = settled.loop.steps, settled.forecast.seconds
    left = last_step(steps, state.cuts) - state.step
    step_s = max(expected / steps, state.elapsed_s / state.step if state.step else 0.0)
    return Clock.start(left * step_s / 60)


def evaluation_steps(steps: int, evaluations: int) -> int:
    """After how many steps a run of `steps` steps is evaluated, each time."""
    return -(-steps // evaluations)


def train_run(run: Path, state: TrainState, job: Job, progress: Progress) -> None:
    """Go from `state.step` to the job's last step. Raises Interrupted after Ctrl-C, all saved."""
    every_so_often = evaluation_steps(job.loop.steps, job.evaluations)
    metrics, samples = MetricsLog(run / layout.METRICS), MetricsLog(run / layout.SAMPLES)
    metrics.rewind(state.step)
    samples.rewind(state.step)
    steps = job.loop.steps

    def save(state: TrainState) -> None:
        save_checkpoint(run / layout.CHECKPOINTS, state)

    def shortened(state: TrainState, step_s: float) -> None:
        ends = state.cuts[-1].steps
        metrics.append(state.step, kind="shortened", steps=ends, step_s=round(step_s, 4))
        save(state)  # a resumed run must know it
        progress.say(
            f"  step {state.step:>6}: a step takes {step_s:.2f} s by now; the run ends at step "
            f"{ends:,} instead of {steps:,}, so that it ends in time."
        )

    def changed(state: TrainState) -> None:
        count = state.threads[-1][1]
        metrics.append(state.step, kind="threads", threads=count)
        save(state)  # the bits depend on it
        progress.say(f"  step {state.step:>6}: faster now with threads = {count}")

    if state.threads:
        use(state.threads[-1][1])
    work = partial(part_of_step, objective=job.objective, batches=job.batches, config=job.loop)
    most = own() if job.loop.device == "cpu" else 1
    request = StopRequest()
    hooks: list[Hook] = [
        *job.after_step,
        Pace(job.clock, steps, state, shortened),
        Threads(job.clock, most, torch.get_num_threads(), work, changed),
        every(max(1, steps // 400), steps, log_to(metrics)),
        every(every_so_often, steps, record(metrics, "validation", job.evaluate)),
    ]
    if job.sample is not None and job.samples:
        look = record(samples, "sample", partial(remarked, job.sample))
        hooks.append(every(-(-steps // job.samples), steps, look))
    hooks.append(every(-(-steps // _CHECKPOINTS), steps, save))
    hooks.append(stop_when(request, save, f"hornbook {job.command} --out {run} --resume"))
    with request.listening(), progress.bar("training", steps - state.step, "steps") as advance:
        hooks.append(lambda state: advance(1))
        train(state, job.objective, job.batches, job.loop, hooks)
