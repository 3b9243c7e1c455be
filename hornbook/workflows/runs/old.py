"""What tuned answers and labels still use of their own life of a run, until they are projects."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import torch

from hornbook.core.clock import NO_LIMIT, Clock
from hornbook.core.config import Config, read_recipe
from hornbook.core.errors import UsageError
from hornbook.core.files import write_text
from hornbook.core.folders import sign
from hornbook.core.machine import Machine
from hornbook.core.metrics import MetricsLog
from hornbook.core.progress import Progress
from hornbook.core.threads import own, use
from hornbook.core.yaml_text import write_yaml
from hornbook.train.checkpoint import save_checkpoint
from hornbook.train.choices import Choice
from hornbook.train.hooks import StopRequest, every, log_to, record, stop_when
from hornbook.train.loop import Batches, Hook, LoopConfig, gradient, train
from hornbook.train.objective import Objective
from hornbook.train.pace import Pace, Threads
from hornbook.train.state import TrainState
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.folder import (
    RECIPE,
    RESULT,
    RUN,
    _check_parts,
    _check_place,
    _difference,
    require_run,
    result,
)
from hornbook.workflows.runs.loop import evaluation_steps
from hornbook.workflows.runs.recipe import MOST_EVALUATIONS, MOST_SAMPLES

_CHECKPOINTS = 12


class Recorded(Config):
    """What a run folder's recipe holds, whatever is trained."""

    request: Config
    machine: Machine
    choices: list[Choice]
    loop: LoopConfig
    versions: dict[str, str]

    def save(self, run: Path) -> None:
        """Write recipe.yaml."""
        sign(run, RUN, RECIPE)
        write_text(run / RECIPE, write_yaml(self.plain()))

    @classmethod
    def load(cls, run: Path) -> Self:
        """Read recipe.yaml; raises UsageError naming the file and the key that is wrong."""
        return cls.parse(read_recipe(run / RECIPE), str(run / RECIPE))


AnyRecipe = TypeVar("AnyRecipe", bound=Recorded)


def previous(run: Path, request: Config, resume: bool, kind: type[AnyRecipe]) -> AnyRecipe | None:
    """The recipe of the unfinished or finished run of the same request in `run`, if any.

    kind: which recipe it must be. Raises UsageError when the folder holds another run, or an
    unfinished one and `resume` is not set, so that nothing is overwritten by accident.
    """
    if resume:
        require_run(run)
    if not (run / RECIPE).is_file():
        _check_place(run)
        return None
    recipe = kind.load(run)
    if recipe.request != request:
        changed = _difference(recipe.request.plain(), request.plain())
        raise UsageError(f"{run} holds another run ({changed}); choose another --out.")
    if not (run / RESULT).is_file():
        if not resume:
            raise UsageError(f"{run} holds an unfinished run; continue it with --resume.")
        _check_parts(run)
    return recipe


def finished(run: Path, recipe: Recorded | None, progress: Progress) -> dict[str, Any] | None:
    """The facts of a run that is there and needs no more work, and it is said."""
    if recipe is None or not (run / RESULT).is_file():
        return None
    progress.say(f"Reused: {run} already holds this run, finished.")
    return result(run)


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
    evaluations: int = MOST_EVALUATIONS
    samples: int = MOST_SAMPLES
    clock: Clock = NO_LIMIT


def part_of_step(
    state: TrainState, objective: Objective, batches: Batches, config: LoopConfig
) -> None:
    """An eighth of the gradient of the step that comes; nothing of it is kept."""
    batch = batches.batch(state.step)
    part = next(batch.split(max(1, sum(1 for _ in batch.split(1)) // 8)))
    state.model.train()
    gradient(state.model, objective, part, config)
    state.optimiser.clear_gradient()


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

    def work(state: TrainState) -> None:
        part_of_step(state, job.objective, job.batches, job.loop)

    most = own() if job.loop.device == "cpu" else 1
    request = StopRequest()
    hooks: list[Hook] = [
        *job.after_step,
        Pace(job.clock, steps, state, shortened),
        Threads(job.clock, most, torch.get_num_threads(), work, changed),
        every(max(1, steps // 400), steps, log_to(metrics)),
        every(every_so_often, steps, record(metrics, "validation", lambda state: job.evaluate())),
    ]
    hooks.append(every(-(-steps // _CHECKPOINTS), steps, save))
    hooks.append(stop_when(request, save, f"hornbook {job.command} --out {run} --resume"))
    with request.listening(), progress.bar("training", steps - state.step, "steps") as advance:
        hooks.append(lambda state: advance(1))
        train(state, job.objective, job.batches, job.loop, hooks)
