"""What a model's files say of it: family, parameters, context. Reads no weights; without torch."""

import math
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.files import read_object
from hornbook.core.gguf import GGUFFile, is_gguf
from hornbook.models.gguf.sizes import ARCHITECTURE
from hornbook.models.place import CONFIG, LINEAR, linear_folder, resolve

_CONTEXT = ("max_position_embeddings", "n_positions", "n_ctx")
"""Keys of config.json that say how many tokens are seen at once."""
_NO_TABLE = ("mamba2",)
"""Families whose state holds a text of any length."""


class ModelAbout(NamedTuple):
    """place: the model's folder or file. family: its `model_type`, GGUF's architecture, or
    "features" for a classifier on hand-made ones. parameters, context (tokens): None where the
    files do not say. stored: the type of most weights. bytes: of its files. licence: as the model
    says it, "" where it says none."""

    place: Path
    family: str
    parameters: int | None
    context: int | None
    stored: str
    bytes: int
    licence: str = ""


def about(path: Path) -> ModelAbout:
    """What the model at `path` says of itself; `path` as `resolve` takes it.

    Raises UsageError where there is no model, HornbookError for a broken file.
    """
    if (linear := linear_folder(path)) is not None:
        return ModelAbout(linear, "features", None, None, "", _size(linear))
    place = resolve(path)
    return _of_file(place) if is_gguf(place) else _of_folder(place)


def decider(place: Path) -> Path:
    """The file whose change says that a model is another one."""
    if place.is_file():
        return place
    return place / (LINEAR if (place / LINEAR).is_file() else CONFIG)


def _of_file(place: Path) -> ModelAbout:
    file = GGUFFile(place)
    family = str(file.values.get(ARCHITECTURE, ""))
    counts = Counter[str]()
    for tensor in file.tensors.values():
        counts[tensor.kind] += math.prod(tensor.shape)
    context = _whole(file.values.get(f"{family}.context_length"))
    licence = str(file.values.get("general.license", ""))
    size = sum(part.stat().st_size for part in file.files)
    return ModelAbout(place, family, counts.total(), context, _most(counts), size, licence)


def _of_folder(place: Path) -> ModelAbout:
    config = read_object(place / CONFIG)
    inner = config.get("text_config")
    values = {**config, **inner} if isinstance(inner, dict) else config
    family = str(config.get("model_type", ""))
    context = next((n for key in _CONTEXT if (n := _whole(values.get(key)))), None)
    counts = _weights(place)
    known = None if family in _NO_TABLE else context
    return ModelAbout(place, family, counts.total(), known, _most(counts), _size(place))


def _weights(folder: Path) -> Counter[str]:
    """Numbers by their type, from the headers of the files."""
    from safetensors import SafetensorError, safe_open

    counts = Counter[str]()
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                for name in file.keys():  # noqa: SIM118  it is no mapping
                    one = file.get_slice(name)
                    counts[one.get_dtype()] += math.prod(one.get_shape())
        except (SafetensorError, OSError) as error:
            raise HornbookError(f"{path} is damaged: {error}.") from None
    return counts


def _most(counts: Counter[str]) -> str:
    return counts.most_common(1)[0][0] if counts else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
