"""Images that claims learn from: drawn from a set, and what a model names them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from hornbook.batches.images import ImageBatches
from hornbook.datasets import idx
from hornbook.datasets.image_data import LabelledImages
from hornbook.datasets.images import read_images
from hornbook.models.classifier import ClassifierNetwork
from hornbook.models.folder import load_model
from hornbook.models.pixels import load_pixels
from hornbook.training.scores import score
from hornbook.workflows.claims.lab import Lab
from hornbook.workflows.runs import folder as layout

_JUDGED, _ROWS = 1000, 128
_JUDGED_SHARE = 0.25
"""Of a set that is not split, what is judged."""
_SIDE = 4
"""Patches of an image a side, at least."""


class DrawnImages(NamedTuple):
    """folder: idx files of both sides. patch: pixels a side of one."""

    folder: Path
    train: LabelledImages
    test: LabelledImages
    patch: int


def draw_images(lab: Lab, count: int, seed: int) -> DrawnImages:
    """At most so many images to learn from, and others that are judged, drawn by a seed."""
    train, test = _read(lab.other("images"))
    order, judged = np.random.default_rng(seed), np.random.default_rng(seed + 1)
    if test is None:
        chosen = order.permutation(len(train.labels))
        size = min(_JUDGED, int(_JUDGED_SHARE * len(chosen)))
        test, train = _some(train, chosen[:size]), _some(train, chosen[size:])
    else:
        test = _some(test, judged.permutation(len(test.labels))[:_JUDGED])
        train = _some(train, order.permutation(len(train.labels)))
    train = _some(train, np.arange(min(count, len(train.labels))))
    folder = lab.folder / "texts" / f"images-{len(train.labels)}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for part, images in (("train", train), ("test", test)):
        idx.write(folder, part, images)
    side = train.pixels.shape[1]
    patch = next(size for size in range(side // _SIDE, 0, -1) if side % size == 0 and size <= 4)
    return DrawnImages(folder, train, test, patch)


def looked_at(run: Path, images: LabelledImages) -> np.ndarray:
    """(N,) what the model of a run takes the images for."""
    place = run / layout.MODEL
    model, pixels = load_model(place), load_pixels(place)
    assert isinstance(model, ClassifierNetwork)
    batches = ImageBatches(images.pixels, images.labels, _ROWS, 0, pixels.mean, pixels.std)
    return score(model, batches.in_order(), "cpu", "float32").guesses


def right(guesses: np.ndarray, images: LabelledImages) -> np.ndarray:
    """(N,) 1.0 for each image that is called what it is."""
    found: np.ndarray = (guesses == images.labels).astype(float)
    return found


def _read(folder: Path | None) -> tuple[LabelledImages, LabelledImages | None]:
    """Both sides of a set; of the digits, which are not split, all."""
    if folder is not None:
        return read_images(folder, "train"), read_images(folder, "test")
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype(np.uint8)[..., None]
    return LabelledImages(pixels, digits.target.astype(np.int64), tuple("0123456789")), None


def _some(images: LabelledImages, places: np.ndarray) -> LabelledImages:
    return images._replace(pixels=images.pixels[places], labels=images.labels[places])
