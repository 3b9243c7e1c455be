"""Where a model is: what a path or name given by a user means. Imports no torch."""

from pathlib import Path

from hornbook.core.errors import HornbookError, UsageError, nearest
from hornbook.core.gguf import SUFFIX, is_gguf, is_model
from hornbook.core.home import HUB, pulled

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
LINEAR = "classifier.json"
"""In the folder of a classifier on hand-made features, which has no network."""
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""Endings of formats that can run code when they are opened."""

NO_PICKLES = (
    "Such files can run any program when they are opened, so Hornbook does not open them. "
    "Ask for the same model in safetensors, or let `transformers` save it again."
)


def no_numbers(path: Path, name: str) -> HornbookError:
    """The error for a tensor with NaN or infinite weights: nothing that is computed means much."""
    return HornbookError(
        f"{path}: {name} holds NaN or infinite weights. The training that made it failed, or the "
        "file is damaged; copy or download it again."
    )


def resolve(path: Path) -> Path:
    """The model folder or GGUF file that `path` means.

    It is one itself, a run folder with `model` in it, a folder with one GGUF file, or the name of
    a pulled model. Raises UsageError saying what was found instead.
    """
    named = [pulled(str(path))] if not path.exists() and _is_name(path) else []
    for place in (path, path / "model", *named):
        if (found := _model_at(place)) is not None:
            return found
    raise UsageError(
        f"{what_is_there(path)} A model is a folder with {CONFIG} and {WEIGHTS}, the folder of a "
        f"finished run, a {SUFFIX} file, or a name that `hornbook pull` has fetched."
    )


def _is_name(path: Path) -> bool:
    """Whether `hornbook pull` may have fetched it by this name."""
    return len(path.parts) == 1 or (str(path).startswith(HUB) and ".." not in path.parts)


def _model_at(place: Path) -> Path | None:
    """The model that a folder or file is, or that is the one GGUF file in it."""
    if (place / CONFIG).is_file() or is_gguf(place):
        return place
    found = sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else []
    files = [file for file in found if is_model(file.name)]
    return files[0] if len(files) == 1 else None


def linear_folder(path: Path) -> Path | None:
    """The folder of the classifier on hand-made features that `path` means, if it is one."""
    places = (path, path / "model")
    return next((place for place in places if (place / LINEAR).is_file()), None)


def what_is_there(path: Path) -> str:
    """A sentence on what stands where a model was expected."""
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())
        shown = ", ".join(names[:5]) + (" and more" if len(names) > 5 else "")
        return f"{path} holds {shown}." if names else f"{path} is empty."
    if not path.exists():
        return f"{path} does not exist.{_neighbour(path)}"
    if path.suffix in PICKLES:
        return f"{path} is not safetensors. {NO_PICKLES}"
    return f"{path} is a file."


def _neighbour(path: Path) -> str:
    """The closest model beside a path that does not exist, or pulled, if there are any."""
    parents = [path.absolute().parent] + ([pulled("")] if len(path.parts) == 1 else [])
    beside = [place for parent in parents if parent.is_dir() for place in parent.iterdir()]
    names = {
        place.name
        for place in beside
        if _model_at(place) or _model_at(place / "model") or linear_folder(place)
    }
    return " " + nearest(path.name, names) if names else ""
