"""Files of the small models that rules judge with: safetensors with a kind, a version and a digest.

Nothing is ever unpickled.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from hornbook.core.errors import HornbookError, UsageError

Shapes = Mapping[str, tuple[type[np.generic], tuple[int, ...]]]
"""The type and the shape of each array that a kind of model has."""

_ENTRY = "hornbook"
"""Of the file's metadata: what the model is, as JSON."""


def write_model(path: Path, kind: str, version: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write contiguous arrays to `path`, which is the caller's to make whole or not at all."""
    from safetensors.numpy import save

    facts = {"kind": kind, "version": version, "digest": _digest(arrays)}
    # One entry, since safetensors shuffles them: equal models are equal files.
    described = {_ENTRY: json.dumps(facts, sort_keys=True)}
    # Saved to memory and written here: safetensors words a full disk's refusal in its own way.
    path.write_bytes(save(dict(arrays), described))


def read_model(path: str, kind: str, version: str, shapes: Shapes) -> Mapping[str, np.ndarray]:
    """The arrays of a model, read-only, read once in a process as long as the file is the same.

    Raises UsageError for a file that is not there or is no model of this kind and version, and
    HornbookError for a damaged one; the message names the file.
    """
    try:
        state = Path(path).stat()
    except OSError:
        raise UsageError(
            f"The model {path} does not exist. `hornbook corpus train {kind}` makes one."
        ) from None
    found = _read(path, state.st_mtime_ns, state.st_size)
    if found.kind != kind:
        raise UsageError(f"{path} is {_article(found.kind)} model, not {_article(kind)} model.")
    if found.version != version:
        raise UsageError(
            f"{path} was made by another version of Hornbook. `hornbook corpus train {kind}` "
            "makes it anew."
        )
    present = {name: (array.dtype.type, array.shape) for name, array in found.arrays.items()}
    if present != dict(shapes):
        raise HornbookError(f"{path} is damaged: it holds other arrays than a {kind} model has.")
    return found.arrays


class _ModelFile:
    """A model as it is read, before anybody asks for its kind."""

    def __init__(self, kind: str, version: str, arrays: Mapping[str, np.ndarray]) -> None:
        self.kind, self.version, self.arrays = kind, version, arrays


@lru_cache(maxsize=8)
def _read(path: str, changed: int, size: int) -> _ModelFile:
    """Read and check a file; `changed` and `size` are there to tell it from what was read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            facts = json.loads((file.metadata() or {}).get(_ENTRY, "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError) as error:
        raise HornbookError(f"{path} is damaged or no model: {error}.") from None
    except OSError as error:
        raise UsageError(f"Cannot read the model {path}: {error.strerror or error}.") from None
    if not {"kind", "version", "digest"} <= set(facts):
        raise UsageError(f"{path} was not made by `hornbook corpus train`.")
    if facts["digest"] != _digest(arrays):
        raise HornbookError(f"{path} is damaged: its content is not what was written.")
    for array in arrays.values():
        array.setflags(write=False)
    return _ModelFile(facts["kind"], facts["version"], arrays)


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """32 hexadecimal digits of all content: a changed weight would not be noticed otherwise."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(arrays[name].data)
    return digest.hexdigest()


def _article(kind: str) -> str:
    return f"an {kind}" if kind[:1] in "aeiou" else f"a {kind}"
