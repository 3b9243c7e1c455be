"""A Transformer for images as a user means it: labelled images in, a measured model folder out.

Calls the stages in order: images, timing, training, the test images. Knows the other packages'
front doors; computes nothing itself.
"""

import hashlib
import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveInt

from hornbook.batches.images import Augment, LabelledImages, pixel_statistics
from hornbook.core.config import Config
from hornbook.core.errors import UsageError
from hornbook.core.files import write_json
from hornbook.core.machine import Machine, measure_machine, peak_memory_bytes, versions
from hornbook.core.progress import Progress
from hornbook.corpus.image_data import Images
from hornbook.corpus.images import Split, read_images
from hornbook.models.convert import to_hf
from hornbook.models.encoder_presets import ViTSizes, vit
from hornbook.models.folder import save_model
from hornbook.models.model import Model
from hornbook.models.pixels import PREPROCESSOR, PixelsConfig
from hornbook.train.checkpoint import load_checkpoint
from hornbook.train.forecast import Run, settle_compilation, step_seconds
from hornbook.train.loop import LoopConfig
from hornbook.train.objective import class_label
from hornbook.train.optimiser import Optimiser, OptimiserConfig
from hornbook.train.precision import compile_layers, uncompiled
from hornbook.train.schedule import ScheduleConfig
from hornbook.train.scores import Accuracy, labels, score
from hornbook.train.state import TrainState
from hornbook.workflows import run as layout
from hornbook.workflows.run import Settled, TimedRequest, check_heads
from hornbook.workflows.training import Job, steps_within, train_run

# Matrices learn as in decoders; the head is small and starts from nothing.
_OPTIMISER = OptimiserConfig(matrix_rate=0.02, embedding_rate=0.003)
_QUICK = 1000
"""Test images scored while training."""


class VisionPlan(Config):
    """Sizes of the model and of a step, and how images change in training.

    size, channels: what images of files become; idx files have their own. patch: pixels a side.
    """

    size: PositiveInt = 32
    channels: PositiveInt = 3
    patch: PositiveInt = 4
    width: PositiveInt = 128
    depth: PositiveInt = 6
    heads: PositiveInt = 4
    hidden: PositiveInt = 256
    rows: PositiveInt = 128
    # In the few passes that minutes allow, moved images cost more than they teach (docs/log.md).
    augment: Augment = Augment(shift=0)


class VisionRequest(TimedRequest):
    """What the user asked for.

    images: a fingerprint of the training and test images. compiled: the user's word, or None to
    measure.
    """

    images: str
    plan: VisionPlan = VisionPlan()
    optimiser: OptimiserConfig = _OPTIMISER
    schedule: ScheduleConfig = ScheduleConfig()
    compiled: bool | None = None

    def check(self) -> None:
        """Refuse what cannot be trained, before any work."""
        self.check_time()
        check_heads(self.plan.width, self.plan.heads)


class VisionRecipe(Settled):
    """What was settled before the first step. folder: where the images lay then."""

    request: VisionRequest
    folder: str
    machine: Machine
    loop: LoopConfig
    compiled: bool
    versions: dict[str, str]


@dataclass
class _Bench:
    """All that is built before the first step."""

    train: LabelledImages
    test: LabelledImages
    pixels: PixelsConfig
    model: Model


class Pictures:
    """The training and test images of a data set."""

    def __init__(self, folder: Path, plan: VisionPlan) -> None:
        self.folder = folder
        self.train, self.test = (self._read(split, plan) for split in ("train", "test"))
        if self.train.names != self.test.names:
            raise UsageError(
                f"{folder}: training images have the classes {', '.join(self.train.names)}, test "
                f"images {', '.join(self.test.names)}."
            )

    def _read(self, split: Split, plan: VisionPlan) -> Images:
        return read_images(self.folder, split, plan.size, plan.channels)

    def fingerprint(self) -> str:
        """What decides the result: pixels, labels and names."""
        digest = hashlib.blake2b(repr(self.train.names).encode(), digest_size=16)
        for images in (self.train, self.test):
            digest.update(images.pixels.data)
            digest.update(images.labels.data)
        return digest.hexdigest()


def request_of(folder: Path, values: dict[str, Any]) -> tuple[Pictures, VisionRequest]:
    """The images of a folder and the request that plain `values` make on them."""
    plan = VisionPlan.parse(values.get("plan") or {}, "vit: plan")
    pictures = Pictures(folder, plan)
    known = {"images": pictures.fingerprint()}
    return pictures, VisionRequest.parse({**values, **known}, "vit")


def train_vision(
    pictures: Pictures,
    run: Path,
    request: VisionRequest,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train a ViT on labelled images into the folder `run`; returns the facts of result.json.

    A finished run of the same request is reused. Raises UsageError for a folder that holds another
    run, Interrupted after Ctrl-C with a checkpoint written, Diverged with the checkpoint before it
    in place.
    """
    started = time.perf_counter()
    progress = progress or Progress()
    request.check()
    recipe = layout.previous(run, request, resume, VisionRecipe)
    if there := layout.finished(run, recipe, progress):
        return there
    machine = recipe.machine if recipe else measure_machine(request.device)
    torch.set_num_threads(machine.threads)
    for rejected in (*pictures.train.rejected[:5], *pictures.test.rejected[:5]):
        progress.say(f"  left out: {rejected}")
    bench = _prepare(pictures, request, machine)
    if recipe is None:
        loop, compiled = _settle(request, machine, bench, started, progress)
        recipe = VisionRecipe(
            request=request,
            folder=str(pictures.folder.absolute()),
            machine=machine,
            loop=loop,
            compiled=compiled,
            versions=versions(),
        )
        recipe.save(run)
    elif recipe.compiled:
        compile_layers(bench.model.get_submodule("stack"))
    state = _fresh(bench, request, recipe.loop)
    if resume:
        load_checkpoint(run / layout.CHECKPOINTS, state)  # without one, from the beginning
        progress.say(f"Resumed at step {state.step} of {recipe.loop.steps}.")
    _train(run, recipe, bench, state, progress)
    return _finish(run, recipe, bench, state, progress)


def resume_vision(run: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Go on with the stopped run in `run`, which knows its own request and images."""
    recipe = VisionRecipe.load(run)
    pictures = Pictures(Path(recipe.folder), recipe.request.plan)
    if pictures.fingerprint() != recipe.request.images:
        raise UsageError(f"The images of {run} are no longer what they were; start a new run.")
    return train_vision(pictures, run, recipe.request, True, progress)


def _prepare(pictures: Pictures, request: VisionRequest, machine: Machine) -> _Bench:
    plan, train, test = request.plan, pictures.train, pictures.test
    _, size, width, channels = train.pixels.shape
    if size != width or size % plan.patch:
        raise UsageError(f"Images of {size} x {width} pixels do not divide into {plan.patch}s.")
    mean, std = pixel_statistics(train.pixels)
    config = vit(
        ViTSizes(
            size=size,
            patch=plan.patch,
            channels=channels,
            width=plan.width,
            depth=plan.depth,
            heads=plan.heads,
            hidden=plan.hidden,
        ),
        train.names,
    )
    to_hf(config)  # what could not be saved is refused now, not after the training
    rows, seed = plan.rows, request.seed
    return _Bench(
        train=LabelledImages(train.pixels, train.labels, rows, seed, mean, std, plan.augment),
        test=LabelledImages(test.pixels, test.labels, rows, seed, mean, std),
        pixels=PixelsConfig(size=size, mean=mean, std=std),
        model=config.build(seed).to(machine.device),
    )


def _settle(
    request: VisionRequest, machine: Machine, bench: _Bench, started: float, progress: Progress
) -> tuple[LoopConfig, bool]:
    """Settle compilation, and fix how many steps there are, so that the schedule knows its end."""
    loop = LoopConfig(
        steps=1,
        micro_rows=request.plan.rows,
        schedule=request.schedule,
        device=machine.device,
        dtype=request.dtype or machine.dtype,
        seed=request.seed,
    )
    timed = Run(lambda: _fresh(bench, request, loop), class_label, bench.train, _no_score, machine)
    plain_s, steps = step_seconds(timed, loop, 3), request.steps
    seconds = request.minutes * 60 if request.minutes else (steps or 0) * plain_s
    compiled, reason = settle_compilation(timed, loop, plain_s, seconds, request.compiled)
    if request.minutes is not None:
        state = _fresh(bench, request, loop)
        steps = steps_within(request.minutes, started, state, class_label, bench.train, loop)
    assert steps is not None
    progress.say(
        f"{bench.model.config.parameters():,} parameters; {steps:,} steps, "
        f"{steps / bench.train.steps_per_epoch:.1f} times all images; products in {loop.dtype}; "
        f"compiled: {'yes' if compiled else 'no'} ({reason})."
    )
    return loop.model_copy(update={"steps": steps}), compiled


def _no_score() -> float:
    raise AssertionError("only time is taken here")


def _fresh(bench: _Bench, request: VisionRequest, loop: LoopConfig) -> TrainState:
    """The model with new weights, and an optimiser that has seen nothing."""
    bench.model.reset(request.seed)
    dtype: torch.dtype = getattr(torch, loop.dtype)
    return TrainState(bench.model, Optimiser(bench.model, request.optimiser, dtype))


def _train(
    run: Path, recipe: VisionRecipe, bench: _Bench, state: TrainState, progress: Progress
) -> None:
    """The loop with a look at the first test images now and then."""
    loop, rows = recipe.loop, recipe.request.plan.rows

    def evaluate() -> dict[str, Any]:
        found = _score(bench, loop, -(-_QUICK // rows))
        progress.say(
            f"  step {state.step:>6} of {loop.steps}: {found.accuracy.value:.1%} of {found.answers}"
        )
        return {"accuracy": found.accuracy.value, "nats": found.nats}

    resume = f"hornbook pretrain --family vit --out {run} --resume"
    job = Job(class_label, bench.train, loop, evaluate, dict, resume)
    train_run(run, state, job, progress)


def _score(bench: _Bench, loop: LoopConfig, batches: int | None = None) -> Accuracy:
    """On the first batches of the test images, None for all."""
    chosen = itertools.islice(bench.test.in_order(), batches)
    with uncompiled():
        return score(bench.model, labels, chosen, loop.device, loop.dtype)


def _finish(
    run: Path, recipe: VisionRecipe, bench: _Bench, state: TrainState, progress: Progress
) -> dict[str, Any]:
    """Measure on all test images and write it all out."""
    peak_bytes = peak_memory_bytes(recipe.machine.device)
    progress.say("Measuring on all test images ...")
    found = _score(bench, recipe.loop)
    result = {
        "run": str(run),
        "seconds": state.elapsed_s,
        "steps": state.step,
        "images": state.tokens,
        "images_per_second": state.tokens / state.elapsed_s,
        "parameters": bench.model.config.parameters(),
        "accuracy": found.accuracy._asdict(),
        "nats": found.nats,
        "test_images": found.answers,
        "peak_bytes": peak_bytes,
    }
    save_model(
        bench.model,
        run / layout.MODEL,
        card=_card(recipe, result),
        beside={PREPROCESSOR: bench.pixels.to_hf()},
    )
    write_json(run / layout.RESULT, result)
    return result


def _card(recipe: VisionRecipe, result: dict[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    plan, right = recipe.request.plan, result["accuracy"]
    return f"""---
library_name: transformers
pipeline_tag: image-classification
tags: [hornbook]
---
# A Transformer for images trained with Hornbook

{result["parameters"]:,} parameters: ViT, {plan.depth} blocks of width {plan.width}, patches of
{plan.patch} pixels. Trained on {result["images"]:,} images seen in {result["steps"]:,} steps, seed
{recipe.request.seed}, {recipe.loop.dtype} products.

Right on {right["value"]:.2%} ({right["low"]:.2%} to {right["high"]:.2%}) of
{result["test_images"]:,} test images.
"""
