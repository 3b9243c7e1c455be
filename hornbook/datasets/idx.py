"""idx files, the format of MNIST: a big-endian header and unsigned bytes, often gzipped."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import atomic_file
from hornbook.datasets.image_data import LabelledImages

_IMAGES, _LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
_LARGEST = 8 * 2**30
"""Bytes of values; a header that asks for more is not believed."""


def files(folder: Path) -> list[Path]:
    """The files of images in a folder."""
    return [path for path in sorted(folder.iterdir()) if _IMAGES in path.name]


def read(folder: Path, parts: Sequence[str]) -> LabelledImages:
    """The part of a data set whose files begin with one of `parts`; labels are named by number."""
    for part in parts:
        images, labels = (_find(folder, f"{part}-{kind}") for kind in (_IMAGES, _LABELS))
        if images and labels:
            return _images(images, labels)
    found = ", ".join(path.name for path in files(folder))
    raise UsageError(f"{folder} has no idx files of {' or '.join(parts)} with labels, but {found}.")


def write(folder: Path, part: str, images: LabelledImages) -> None:
    """Grey images (N, H, W, 1) as the files that `read` reads."""
    pixels, labels = images.pixels[..., 0], images.labels.astype(np.uint8)
    assert images.pixels.shape[-1] == 1 and np.array_equal(labels, images.labels)
    for kind, values in ((_IMAGES, pixels), (_LABELS, labels)):
        header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">u4").tobytes()
        with atomic_file(folder / f"{part}-{kind}") as aside:
            aside.write_bytes(header + values.tobytes())


def _find(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _images(images: Path, labels: Path) -> LabelledImages:
    pixels, classes = read_array(images, 3), read_array(labels, 1).astype(np.int64)
    if len(pixels) != len(classes):
        raise HornbookError(
            f"{images} has {len(pixels)} images, but {labels} has {len(classes)} labels."
        )
    if not len(classes):
        raise HornbookError(f"{images} has no images.")
    names = tuple(str(i) for i in range(int(classes.max()) + 1))
    return LabelledImages(pixels[..., None], classes, names)


def read_array(path: Path, dimensions: int) -> np.ndarray:
    """The bytes of an idx file of so many dimensions, as uint8 of the shape that it states.

    Raises HornbookError naming the file when it is cut short, too long or another format.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            header = stream.read(4 + 4 * dimensions)
            if header[:4] != bytes((0, 0, 8, dimensions)) or len(header) != 4 + 4 * dimensions:
                raise HornbookError(f"{path} is no idx file of bytes in {dimensions} dimensions.")
            shape = tuple(int(n) for n in np.frombuffer(header[4:], ">u4"))
            size = int(np.prod(shape, dtype=np.float64))
            if size > _LARGEST:
                raise HornbookError(f"{path} states the shape {shape}, which is beyond all use.")
            values = stream.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise HornbookError(f"{path} is damaged: {error}.") from None
    if len(values) != size:
        more = "more" if len(values) > size else f"{len(values):,}"
        raise HornbookError(f"{path} states {size:,} bytes of values and holds {more}.")
    return np.frombuffer(values, np.uint8).reshape(shape)
