"""Image files in a folder for each class, and images inside Parquet tables.

Decoding is Pillow's, in a guarded process. A broken image costs itself and is named; nothing is
ever run.
"""

import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from hornbook.core.errors import HornbookError, UsageError, nearest
from hornbook.core.guard import GaveUp, guarded
from hornbook.core.guarded import Values, step
from hornbook.datasets.image_data import LabelledImages

if TYPE_CHECKING:
    import pyarrow

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
"""No others, whatever a file's name: of PostScript, Pillow would have a program run."""
_MOST_PIXELS = 2**26
"""Of one image: cameras have some 50 million; a picture of 30 kB may claim ten times as many."""
_MOST_CLASSES = 2**20
"""Of labels that are numbers without names."""
_MODES = {1: "L", 3: "RGB"}
_LABEL_COLUMNS, _IMAGE_COLUMNS = ("label", "labels", "class", "fine_label"), ("image", "img")

_Source = tuple[str, Path | bytes, int]
"""What to call it in a message, where the image is, and its label."""


def read_folder(folder: Path, size: int | None, channels: int) -> LabelledImages:
    """Images in folders named after their class. Raises UsageError when there are none."""
    return _images(folder_items, [str(folder)], size, channels, 0)


def read_parquet(paths: Sequence[Path], size: int | None, channels: int) -> LabelledImages:
    """Tables with a column of encoded images and one of labels, numbers or names."""
    bytes_read = sum(path.stat().st_size for path in paths)
    return _images(parquet_items, [list(map(str, paths))], size, channels, bytes_read)


def read_image(path: Path, size: int, channels: int) -> np.ndarray:
    """One image, (size, size, C) uint8. Raises UsageError for a file that is none."""
    if not path.is_file():
        raise UsageError(f"{path} {'is no file' if path.exists() else 'does not exist'}.")
    try:
        return _decode(path, size, channels)
    except Exception as error:  # decoders of many formats, each with errors of its own
        raise UsageError(f"{path} is no image that can be read: {error}.") from None


def _images(
    work: Callable[..., Iterator[Values]],
    arguments: list[Any],
    size: int | None,
    channels: int,
    bytes_read: int,
) -> LabelledImages:
    """All images as one array. Raises HornbookError when none can be had or sizes differ."""
    if channels not in _MODES:
        raise UsageError(f"Images have 1 channel (grey) or 3 (colours), not {channels}.")
    names, pixels, labels, rejected = [], [], list[int](), list[str]()
    try:
        items = guarded(f"{__name__}:{work.__name__}", [*arguments, size, channels], bytes_read)
        names = next(items)[0]
        for about, text in items:
            if about is None:
                rejected.append(text)
                continue
            label, shape = about
            pixels.append(np.frombuffer(text.encode("latin-1"), np.uint8).reshape(shape))
            labels.append(label)
    except GaveUp as end:
        raise HornbookError(
            f"{arguments[0]} cannot be read: {end.fault.reason}, {end.fault.detail}."
        ) from None
    if not pixels:
        raise HornbookError(rejected[0])
    shapes = {image.shape for image in pixels}
    if len(shapes) > 1:
        heights = sorted({shape[0] for shape in shapes} | {shape[1] for shape in shapes})
        raise UsageError(
            f"The images have different sizes, from {heights[0]} to {heights[-1]} pixels; name "
            "the size that all of them shall have."
        )
    return LabelledImages(
        np.stack(pixels), np.array(labels, np.int64), tuple(names), tuple(rejected)
    )


def folder_items(folder: str, size: int | None, channels: int) -> Iterator[Values]:
    """The images of a folder, for the process that is guarded."""
    classes = sorted(path for path in Path(folder).iterdir() if path.is_dir())
    sources: list[_Source] = [
        (str(path), path, label)
        for label, inside in enumerate(classes)
        for path in sorted(inside.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if not sources:
        raise UsageError(
            f"{folder} holds no images in folders named after their class "
            f"({', '.join(SUFFIXES)}), no idx files and no Parquet files."
        )
    return _items(sources, [path.name for path in classes], size, channels)


def parquet_items(paths: list[str], size: int | None, channels: int) -> Iterator[Values]:
    """The images of tables, for the process that is guarded."""
    rows = [row for path in paths for row in _rows(Path(path))]
    if not rows:
        raise HornbookError(f"{paths[0]} has no rows.")
    stated = _class_names(Path(paths[0]))
    found = sorted({label for _, _, label in rows}, key=lambda label: (str(type(label)), label))
    numbers = all(isinstance(label, int) for label in found)
    if numbers and (found[0] < 0 or found[-1] >= (len(stated) if stated else _MOST_CLASSES)):
        raise HornbookError(f"{paths[0]}: a label is {found[0]} or {found[-1]}, which names none.")
    names = stated or tuple(map(str, range(found[-1] + 1) if numbers else found))
    if not numbers and (unnamed := next((n for n in found if str(n) not in names), None)):
        raise HornbookError(f"{paths[0]}: the label {unnamed!r} is none of those it names.")
    place = {label: label if numbers else names.index(str(label)) for label in found}
    sources: list[_Source] = [(where, data, place[label]) for where, data, label in rows]
    return _items(sources, list(names), size, channels)


def _items(
    sources: Iterable[_Source], names: list[str], size: int | None, channels: int
) -> Iterator[Values]:
    """The names, then for each image its label and shape with its pixels, or what is wrong."""
    yield names, ""
    for where, place, label in sources:
        try:
            fault = step(len(place) if isinstance(place, bytes) else place.stat().st_size)
            if fault:
                raise ValueError(f"{fault.reason}, {fault.detail}")
            pixels = _decode(place, size, channels)
        except Exception as error:  # decoders of many formats, each with errors of its own
            problem = f"{where} is no image that can be opened: {error}."
            yield None, problem.encode("utf-8", "backslashreplace").decode()
        else:
            yield [label, pixels.shape], pixels.tobytes().decode("latin-1")


def _rows(path: Path) -> Iterator[tuple[str, bytes, Any]]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise HornbookError(f"{path} is no whole Parquet file: {error}.") from None
    images = _column(path, table, _IMAGE_COLUMNS)
    labels = _column(path, table, _LABEL_COLUMNS)
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        data = image.get("bytes") if isinstance(image, dict) else image
        if not isinstance(label, int | str):
            raise HornbookError(f"{path}, row {number}: the label is {label!r}.")
        yield f"{path}, row {number}", data if isinstance(data, bytes) else b"", label


def _column(path: Path, table: "pyarrow.Table", names: Sequence[str]) -> list[Any]:
    for name in names:
        if name in table.column_names:
            values: list[Any] = table[name].to_pylist()
            return values
    raise HornbookError(
        f"{path} has no column {' or '.join(names)}. {nearest(names[0], table.column_names)}"
    )


def _class_names(path: Path) -> tuple[str, ...]:
    """The names that `datasets` writes into a table's metadata, if it did."""
    import pyarrow.parquet as parquet

    stored = (parquet.read_schema(path).metadata or {}).get(b"huggingface")
    try:
        features = json.loads(stored)["info"]["features"] if stored else {}
        for column in _LABEL_COLUMNS:
            if "names" in features.get(column, {}):
                return tuple(map(str, features[column]["names"]))
    except (ValueError, KeyError, TypeError):
        pass
    return ()


def _decode(place: Path | bytes, size: int | None, channels: int) -> np.ndarray:
    """(H, W, C) uint8. Stretched to a square as `transformers` does it, when a size is named."""
    from PIL import Image

    stream: BinaryIO = io.BytesIO(place) if isinstance(place, bytes) else place.open("rb")
    with stream, Image.open(stream, formats=_FORMATS) as opened:
        if (pixels := math.prod(opened.size)) > _MOST_PIXELS:
            raise ValueError(f"{pixels:,} pixels; the most is {_MOST_PIXELS:,}")
        image = opened.convert(_MODES[channels])
        if size is not None and image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BILINEAR)
        array = np.asarray(image, np.uint8)
    return array.reshape(*array.shape[:2], channels)
