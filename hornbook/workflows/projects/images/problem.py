"""Learning to name images: batches, a Transformer for images, and how it is looked at."""

from collections.abc import Iterable

import numpy as np
import torch

from hornbook.batches.images import ImageBatches, pixel_statistics
from hornbook.batches.labelled import LabelledBatch
from hornbook.core.machine import Machine
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.convert import to_hf
from hornbook.models.pixels import PixelsConfig
from hornbook.training.image_dial import ImagePlan
from hornbook.training.loop import LoopConfig
from hornbook.training.objective import class_label
from hornbook.training.optimiser import Optimiser
from hornbook.training.precision import uncompiled
from hornbook.training.problem import Problem
from hornbook.training.scores import Scored, score
from hornbook.training.state import TrainState
from hornbook.workflows.projects.images.data import Pictures
from hornbook.workflows.projects.images.request import ImagesRequest

_QUICK = 1000
"""Test images scored while training."""


class ImagesProblem(Problem):
    """The label of an image. quick: test images to score while training."""

    measure = "error"
    targets = "images"

    model: ClassifierNetwork
    plan: ImagePlan
    batches: ImageBatches

    def __init__(
        self, pictures: Pictures, request: ImagesRequest, plan: ImagePlan, machine: Machine
    ) -> None:
        train, test = pictures.train, pictures.test
        _, size, _, channels = train.pixels.shape
        mean, std = pixel_statistics(train.pixels)
        config = plan.config(size, channels, train.names)
        to_hf(config)  # what could not be saved is refused now, not after the training
        rows, seed = plan.rows, request.seed
        self.pictures, self.request, self.plan = pictures, request, plan
        self.fixed = bool(request.plan.rows)
        self.objective = class_label
        self.batches = ImageBatches(
            train.pixels, train.labels, rows, seed, mean, std, request.augment
        )
        self.steps_per_epoch = self.batches.steps_per_epoch
        self.test = ImageBatches(test.pixels, test.labels, rows, seed, mean, std)
        # Files lie in order of their classes, so that the first of them would be of one class.
        count = len(test.labels)
        spread = np.linspace(0, count - 1, min(_QUICK, count)).astype(np.int64)
        self.quick = self.test.some(spread)
        self.pixels = PixelsConfig(size=size, mean=mean, std=std)
        model = config.build(seed).to(machine.device)
        assert isinstance(model, ClassifierNetwork)
        self.model = model
        self.loop = LoopConfig(
            steps=1,
            micro_rows=rows,
            schedule=request.schedule,
            device=machine.device,
            dtype=request.dtype or machine.dtype,
            seed=seed,
        )

    def resize(self, size: int) -> None:
        self.plan = self.plan.model_copy(update={"rows": size})
        self.loop = self.loop.model_copy(update={"micro_rows": size})
        self.batches = self.batches.of(size)
        self.steps_per_epoch = self.batches.steps_per_epoch

    def begin(self) -> TrainState:
        self.model.reset(self.request.seed)
        dtype: torch.dtype = getattr(torch, self.loop.dtype)
        return TrainState(self.model, Optimiser(self.model, self.request.optimiser, dtype))

    def measured(self, images: ImageBatches) -> Scored:
        """How the model does on images, in the order in which they came."""
        batches: Iterable[LabelledBatch] = images.in_order()
        with uncompiled():
            return score(self.model, batches, self.loop.device, self.loop.dtype)

    def score(self) -> dict[str, float]:
        found = self.measured(self.quick)
        return {"error": 1 - found.accuracy.value, "nats": found.nats}

    def said(self, figures: dict[str, float]) -> str:
        return f"{1 - figures['error']:.1%} of {len(self.quick.labels)} right"

    def sides(self) -> tuple[Iterable[bytes], Iterable[bytes]]:
        train, test = (side.pixels for side in (self.pictures.train, self.pictures.test))
        return (one.tobytes() for one in train), (one.tobytes() for one in test)

    def ending_s(self, score_s: float) -> float:
        return len(self.test.labels) / len(self.quick.labels) * score_s
