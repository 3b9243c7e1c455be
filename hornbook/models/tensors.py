"""Tensors of a model folder: `model.safetensors`, or its pieces named by an index.

Nothing is ever unpickled.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_object
from hornbook.models.place import CONFIG, INDEX, NO_PICKLES, PICKLES, WEIGHTS, no_numbers


class TensorFiles:
    """The tensors of a folder by name, read from disk one at a time.

    config: what says how large they are, for messages. Raises HornbookError naming the file when
    one is missing, cut short or not safetensors.
    """

    config = CONFIG

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened = {path: _open(path) for path in weight_files(folder)}
        self._owner: dict[str, Path] = {}
        for path, file in self._opened.items():
            self._owner.update(dict.fromkeys(file.keys(), path))

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._owner)

    def path(self, name: str) -> Path:
        """The file that holds a tensor."""
        return self._owner[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape, without reading it."""
        return tuple(self._opened[self._owner[name]].get_slice(name).get_shape())

    def read(self, name: str) -> Tensor:
        """A tensor as it is stored, on the CPU.

        Raises HornbookError when its type is not a plain float of 16 bits or more: quantised
        weights mean nothing without their scales.
        """
        tensor: Tensor = self._opened[self._owner[name]].get_tensor(name)
        _check(tensor, name, self.path(name))
        return tensor


def read_tensors(path: Path, device: str = "cpu") -> dict[str, Tensor]:
    """All tensors of one file, a checkpoint or an adapter.

    Raises HornbookError naming the file when it is missing or damaged, and the tensor that cannot
    be used, as `TensorFiles.read`.
    """
    try:
        found: dict[str, Tensor] = load_file(path, device)
    except FileNotFoundError:
        raise HornbookError(f"{path} does not exist.") from None
    except (SafetensorError, OSError) as error:
        raise HornbookError(f"{path} is damaged: {error}.") from None
    for name, tensor in found.items():
        _check(tensor, name, path)
    return found


def _check(tensor: Tensor, name: str, path: Path) -> None:
    """Raises HornbookError for what is no plain float, and for NaN and infinite weights."""
    if tensor.dtype not in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        kind = str(tensor.dtype).removeprefix("torch.")
        raise HornbookError(
            f"{path}: {name} holds {kind}. Only float64, float32, float16 and "
            "bfloat16 weights can be opened."
        )
    if tensor.dtype == torch.float64:
        tensor = tensor.float()  # in which models compute: 1e300 becomes infinite there
    # A sum costs a tenth of looking at each, which follows where the type cannot hold it.
    if not tensor.sum().isfinite() and not tensor.isfinite().all():
        raise no_numbers(path, name)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write contiguous tensors on the CPU as a safetensors file that `transformers` opens."""
    try:
        save_file(dict(tensors), path, metadata={"format": "pt"})
        path.chmod(0o644)  # the library leaves it to its owner alone
    except SafetensorError as error:
        raise _as_os_error(error, path) from error


def _as_os_error(error: SafetensorError, path: Path) -> Exception:
    """The system's own error (a full disk, say), which safetensors only puts into words."""
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]), str(error), str(path)) if number else error


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder; raises HornbookError when there are none."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        raise HornbookError(_what_is_missing(folder))
    owners = read_object(index).get("weight_map")
    if not isinstance(owners, dict) or not owners:
        raise HornbookError(f"{index} has no weight_map.")
    names = sorted({str(name) for name in owners.values()})
    for name in names:
        if Path(name).name != name:
            raise HornbookError(f"{index}: {name!r} is not a file name inside the folder.")
    return [folder / name for name in names]


def _what_is_missing(folder: Path) -> str:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix in PICKLES)
    if not pickles:
        return f"{folder} has no {WEIGHTS}."
    return f"{folder} has no {WEIGHTS}, only {pickles[0]}. {NO_PICKLES}"


def _open(path: Path) -> safe_open:
    if not path.is_file():
        raise HornbookError(f"{path} does not exist, but {INDEX} names it.")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise HornbookError(
            f"{path} is not a whole safetensors file ({error}). Copy or download it again."
        ) from None
