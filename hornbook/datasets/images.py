"""Images with labels, from folders by class, idx files or Parquet, as one array.

The format is found by what is there.
"""

from pathlib import Path
from typing import Literal

from hornbook.core.errors import UsageError
from hornbook.datasets.image_data import LabelledImages

ImageSplit = Literal["train", "test"]
SPLITS: dict[ImageSplit, tuple[str, ...]] = {
    "train": ("train",),
    "test": ("test", "t10k", "validation", "valid", "val"),
}
"""What the parts of a data set are called in the names of files and folders."""


def read_images(
    path: Path, split: ImageSplit, size: int | None = None, channels: int = 3
) -> LabelledImages:
    """One part of the data set at `path`; all of it is held in memory.

    path: a folder with idx files, with Parquet files, or with a folder for each class, maybe below
    a folder for each part; or one Parquet file, which is all of one part. size, channels: what
    images of files become (idx files have their own). Raises UsageError when there is nothing of
    the kind, and HornbookError naming the file that is broken.
    """
    from hornbook.datasets import idx, image_files

    if not path.exists():
        raise UsageError(f"{path} does not exist.")
    if path.suffix == ".parquet":
        return image_files.read_parquet([path], size, channels)
    if not path.is_dir():
        raise UsageError(f"{path} is neither a folder nor a Parquet file.")
    if idx.files(path):
        return idx.read(path, SPLITS[split])
    if parquet := sorted(path.rglob("*.parquet")):
        chosen = [file for file in parquet if file.name.startswith(SPLITS[split])]
        if not chosen:
            raise UsageError(_no_part(path, split, [file.name for file in parquet]))
        return image_files.read_parquet(chosen, size, channels)
    return image_files.read_folder(_part(path, split), size, channels)


def _part(path: Path, split: ImageSplit) -> Path:
    """The folder of a part; a folder without parts is one itself, for training."""
    for name in SPLITS[split]:
        if (path / name).is_dir():
            return path / name
    if split == "train":
        return path
    raise UsageError(_no_part(path, split, [entry.name for entry in path.iterdir()]))


def _no_part(path: Path, split: ImageSplit, found: list[str]) -> str:
    shown = ", ".join(sorted(found)[:5]) or "nothing"
    return f"{path} has no part named {' or '.join(SPLITS[split])}, but {shown}."
