"""The images of a run: both sides of a data set, and what decides that they are the same."""

import hashlib
from pathlib import Path

from hornbook.core.errors import UsageError
from hornbook.datasets.images import read_images


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

        if len(self.train.names) == 1:
            raise UsageError(
                f"{folder} has one class only, {self.train.names[0]!r}. At least two are needed."
            )

    def fingerprint(self) -> str:
        """What decides the result: pixels, labels and names."""
        digest = hashlib.blake2b(repr(self.train.names).encode(), digest_size=16)
        for images in (self.train, self.test):
            digest.update(images.pixels.data)
            digest.update(images.labels.data)
        return digest.hexdigest()
