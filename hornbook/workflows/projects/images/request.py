"""What an image run is asked for, and what was settled before its first step."""

from typing import ClassVar

from pydantic import PositiveInt

from hornbook.batches.images import Augment
from hornbook.core.errors import UsageError
from hornbook.training.image_dial import ImagePlan, WantedImages
from hornbook.training.optimiser import OptimiserConfig
from hornbook.training.schedule import ScheduleConfig
from hornbook.workflows.runs.recipe import Recipe, RehearsedRequest

_LARGEST = 4096
"""Pixels a side: above it one image alone takes more than a model of its patches can use."""


class ImagesRequest(RehearsedRequest):
    """What the user asked for.

    images: a fingerprint of the training and test images. size, channels: what images of files
    become, in pixels a side and colours; idx files have their own. augment: how images change in
    training.
    """

    about: ClassVar[tuple[str, ...]] = ("images",)

    images: str = ""
    size: PositiveInt = 32
    channels: PositiveInt = 3
    plan: WantedImages = WantedImages()
    augment: Augment = Augment()
    optimiser: OptimiserConfig
    schedule: ScheduleConfig

    def check(self) -> None:
        super().check()
        if self.size > _LARGEST:
            raise UsageError(f"size = {self.size}: images have at most {_LARGEST} pixels a side.")


class ImagesRecipe(Recipe):
    """What was settled before the first step."""

    request: ImagesRequest
    plan: ImagePlan
