"""A Transformer for images as a user means it: labelled images in, a measured model folder out.

Calls the stages in order: images, dial, rehearsal, forecast, training, the test images, the report.
Knows the other packages' front doors; computes nothing itself.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from hornbook.batches.images import LabelledImages, pixel_statistics
from hornbook.core.clock import Clock
from hornbook.core.errors import UsageError
from hornbook.core.machine import Machine, versions
from hornbook.core.progress import Progress
from hornbook.models.classifier import Classifier
from hornbook.models.convert import to_hf
from hornbook.models.pixels import PixelsConfig
from hornbook.train.checkpoint import load_checkpoint
from hornbook.train.choices import Choice, Planned, replaced
from hornbook.train.dial import probe_speed
from hornbook.train.forecast import Run
from hornbook.train.image_dial import ImagePlan, choose_images
from hornbook.train.loop import LoopConfig
from hornbook.train.objective import class_label
from hornbook.train.optimiser import Optimiser
from hornbook.train.precision import compile_layers
from hornbook.train.schedule import last_step
from hornbook.train.state import TrainState
from hornbook.workflows.projects.images.request import Pictures, VisionRecipe, VisionRequest
from hornbook.workflows.projects.images.result import Bench, finish, measured
from hornbook.workflows.runs import folder as layout
from hornbook.workflows.runs.loop import Job, train_run, training_clock
from hornbook.workflows.runs.settle import (
    Budget,
    announcement,
    machine_for,
    settle,
    smaller,
    step_in_time,
    threads_in_time,
)

_QUICK = 1000
"""Test images scored while training."""
_STEP_SECONDS = 0.1
"""A guess at a step's time: when steps are asked for, only the model's size depends on it."""


def train_vision(
    pictures: Pictures,
    run: Path,
    request: VisionRequest,
    resume: bool = False,
    progress: Progress | None = None,
    began: float | None = None,
) -> dict[str, Any]:
    """Train a ViT on labelled images into the folder `run`; returns the facts of result.json.

    began: when the minutes began (time.monotonic); now if None. A finished run of the same request
    is reused. Raises UsageError for a folder that holds another run, Interrupted after Ctrl-C with
    a checkpoint written, Diverged with the checkpoint before it in place.
    """
    clock = Clock.start(request.minutes, began)
    progress = progress or Progress()
    request.check()
    recipe = layout.previous(run, request, resume, VisionRecipe)
    if there := layout.finished(run, recipe, progress):
        return there
    machine = machine_for(recipe, request.device)
    for rejected in (*pictures.train.rejected[:5], *pictures.test.rejected[:5]):
        progress.say(f"  left out: {rejected}")
    plan, choices = (recipe.plan, recipe.choices) if recipe else _plan(machine, pictures, request)
    for choice in choices:
        progress.say(f"  {choice.name} = {choice.value}: {choice.reason}")
    bench = _prepare(pictures, request, plan, machine)
    progress.say(f"Model: {bench.model.config.parameters():,} weights, width {plan.width}.")
    if recipe is None:
        planned = Planned(plan, choices)
        settled = _settle(run, request, planned, machine, bench, clock, progress)
        folder = str(pictures.folder.absolute())
        recipe = VisionRecipe(request=request, folder=folder, **settled)
        recipe.save(run)
        progress.say(*announcement(recipe, "images"))
    elif recipe.compiled:
        compile_layers(bench.model.get_submodule("stack"))
    state = _fresh(bench, request, recipe.loop)
    if resume:
        # Without a checkpoint, from the beginning.
        load_checkpoint(run / layout.CHECKPOINTS, state, progress.say)
        progress.say(f"Resumed at step {state.step} of {recipe.loop.steps}.")
    _train(run, recipe, bench, state, progress)
    return finish(run, recipe, bench, pictures, state, clock, progress)


def resume_vision(run: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Go on with the stopped run in `run`, which knows its own request and images."""
    recipe = VisionRecipe.load(run)
    request = recipe.request
    pictures = Pictures(Path(recipe.folder), request.size, request.channels)
    if pictures.fingerprint() != request.images:
        raise UsageError(f"The images of {run} are no longer what they were; start a new run.")
    return train_vision(pictures, run, request, True, progress)


def _plan(
    machine: Machine, pictures: Pictures, request: VisionRequest
) -> tuple[ImagePlan, list[Choice]]:
    """Probe this machine and turn the dial."""
    seconds = request.minutes * 60 if request.minutes else (request.steps or 0) * _STEP_SECONDS
    _, height, width, channels = pictures.train.pixels.shape
    return choose_images(probe_speed(machine), (height, width, channels), seconds, request.plan)


def _prepare(
    pictures: Pictures, request: VisionRequest, plan: ImagePlan, machine: Machine
) -> Bench:
    """Batches and the model; what could not be saved is refused now, not after the training."""
    train, test = pictures.train, pictures.test
    _, size, _, channels = train.pixels.shape
    mean, std = pixel_statistics(train.pixels)
    config = plan.config(size, channels, train.names)
    to_hf(config)
    rows, seed = plan.rows, request.seed
    # Files lie in order of their classes, so that the first of them would be of one class.
    spread = np.linspace(0, len(test.labels) - 1, min(_QUICK, len(test.labels))).astype(np.int64)
    quick_pixels, quick_labels = test.pixels[spread], test.labels[spread]
    model = config.build(seed).to(machine.device)
    assert isinstance(model, Classifier)
    return Bench(
        train=LabelledImages(train.pixels, train.labels, rows, seed, mean, std, request.augment),
        test=LabelledImages(test.pixels, test.labels, rows, seed, mean, std),
        quick=LabelledImages(quick_pixels, quick_labels, rows, seed, mean, std),
        pixels=PixelsConfig(size=size, mean=mean, std=std),
        model=model,
    )


def _settle(
    run: Path,
    request: VisionRequest,
    planned: Planned[ImagePlan],
    machine: Machine,
    bench: Bench,
    clock: Clock,
    progress: Progress,
) -> dict[str, Any]:
    """Rehearse, forecast, and fix the number of steps; returns what the recipe holds of it."""
    plan, choices = planned
    loop = LoopConfig(
        steps=1,
        micro_rows=plan.rows,
        schedule=request.schedule,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )
    longer = len(bench.test.labels) / len(bench.quick.labels)
    rehearsed = Run(
        fresh=lambda: _fresh(bench, request, loop),
        objective=class_label,
        batches=bench.train,
        measure="error",
        score=lambda: 1 - measured(bench, loop, bench.quick).accuracy.value,
        machine=machine,
        ending=lambda score_s: longer * score_s,
    )
    machine = threads_in_time(rehearsed, loop, machine, clock, progress)
    rows = step_in_time(rehearsed, loop, clock, bool(request.plan.rows), plan.rows)
    if rows < plan.rows:
        choices = replaced(choices, smaller("rows", rows, progress))
        plan = plan.model_copy(update={"rows": rows})
        loop = loop.model_copy(update={"micro_rows": rows})
        bench.train = bench.train.of(rows)
        rehearsed = rehearsed._replace(batches=bench.train)
    budget = Budget(clock, request.steps, request.compiled)
    settled = settle(run, rehearsed, loop, budget, bench.train.steps_per_epoch, progress)
    return {
        "machine": machine,
        "plan": plan,
        "choices": choices,
        "versions": versions(),
        **settled._asdict(),
    }


def _fresh(bench: Bench, request: VisionRequest, loop: LoopConfig) -> TrainState:
    """The model with new weights, and an optimiser that has seen nothing."""
    bench.model.reset(request.seed)
    dtype: torch.dtype = getattr(torch, loop.dtype)
    return TrainState(bench.model, Optimiser(bench.model, request.optimiser, dtype))


def _train(
    run: Path, recipe: VisionRecipe, bench: Bench, state: TrainState, progress: Progress
) -> None:
    """The loop with a look at some test images now and then."""
    loop = recipe.loop

    def evaluate() -> dict[str, Any]:
        found = measured(bench, loop, bench.quick)
        last = last_step(loop.steps, state.cuts)
        progress.say(
            f"  step {state.step:>6} of {last}: {found.accuracy.value:.1%} of "
            f"{len(found.labels)} right"
        )
        return {"error": 1 - found.accuracy.value, "nats": found.nats}

    job = Job(
        objective=class_label,
        batches=bench.train,
        loop=loop,
        evaluate=evaluate,
        evaluations=recipe.evaluations,
        clock=training_clock(recipe, state, recipe.request.minutes is not None),
    )
    train_run(run, state, job, progress)
