"""What an image run is asked for, on which images, and what was settled before its first step.

Knows settings and the images' fingerprint; trains nothing.
"""

import hashlib
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from hornbook.batches.images import Augment
from hornbook.core.config import over
from hornbook.core.errors import UsageError
from hornbook.datasets.images import read_images
from hornbook.train.fits import check_fits
from hornbook.train.image_dial import ImagePlan, WantedImages
from hornbook.train.optimiser import OptimiserConfig
from hornbook.train.schedule import ScheduleConfig
from hornbook.workflows.runs.folder import Settled, TimedRequest

# Lower rates than those of decoders, and a long fall to zero (docs/log.md, "rates of ViT").
_OPTIMISER = OptimiserConfig(matrix_rate=0.005, embedding_rate=0.003)
_SCHEDULE = ScheduleConfig(cooldown=0.9)
_LARGEST = 4096
"""Pixels a side: above it one image alone takes more than a model of its patches can use."""


class VisionRequest(TimedRequest):
    """What the user asked for.

    images: a fingerprint of the training and test images. size, channels: what images of files
    become, in pixels a side and colours; idx files have their own. augment: how images change in
    training.
    """

    images: str
    size: PositiveInt = 32
    channels: PositiveInt = 3
    plan: WantedImages = WantedImages()
    augment: Augment = Augment()
    optimiser: OptimiserConfig
    schedule: ScheduleConfig

    def check(self) -> None:
        """Refuse what cannot be trained, before any work."""
        self.check_time()
        check_fits(self.plan)
        if self.size > _LARGEST:
            raise UsageError(f"size = {self.size}: images have at most {_LARGEST} pixels a side.")


class VisionRecipe(Settled):
    """What was settled before the first step. folder: where the images lay then."""

    request: VisionRequest
    folder: str
    plan: ImagePlan


class Pictures:
    """The training and test images of a data set, files as `size` pixels a side and `channels`."""

    def __init__(self, folder: Path, size: int, channels: int) -> None:
        self.folder = folder
        self.train, self.test = (
            read_images(folder, split, size, channels) for split in ("train", "test")
        )
        if self.train.names != self.test.names:
            raise UsageError(
                f"{folder}: training images have the classes {', '.join(self.train.names)}, test "
                f"images {', '.join(self.test.names)}."
            )

    def fingerprint(self) -> str:
        """What decides the result: pixels, labels and names."""
        digest = hashlib.blake2b(repr(self.train.names).encode(), digest_size=16)
        for images in (self.train, self.test):
            digest.update(images.pixels.data)
            digest.update(images.labels.data)
        return digest.hexdigest()


def request_of(folder: Path, values: dict[str, Any]) -> tuple[Pictures, VisionRequest]:
    """The images of a folder and the request that plain `values` make on them."""
    known = {
        "optimiser": over(_OPTIMISER, values.get("optimiser")),
        "schedule": over(_SCHEDULE, values.get("schedule")),
        "images": "",
    }
    asked = VisionRequest.parse({**values, **known}, "vit")  # what is wrong, before reading
    asked.check()
    pictures = Pictures(folder, asked.size, asked.channels)
    return pictures, asked.model_copy(update={"images": pictures.fingerprint()})
