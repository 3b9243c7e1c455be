"""A stage is a folder that is built once for given inputs, and marked when it is whole.

The marker is written last, inside a folder that appears by rename: a folder with a marker is
complete, whatever happened. Knows nothing of what stages do.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hornbook.core.errors import UsageError
from hornbook.core.files import atomic_folder, hash_json, read_json, write_json

MARKER = "stage.json"


def fingerprint(folder: Path) -> str | None:
    """The fingerprint of the inputs a finished stage was built from; None when not finished."""
    marker = folder / MARKER
    return str(read_json(marker)["fingerprint"]) if marker.is_file() else None


def run_stage(folder: Path, inputs: Mapping[str, Any], build: Callable[[Path], None]) -> bool:
    """Build `folder` unless it is already built from the same `inputs`.

    `inputs` is plain data naming all that decides the result (fingerprints of earlier stages,
    settings, a version of the code); `build` fills the empty folder it is given. Returns True
    when the folder was built now and False when it was reused. Raises UsageError when `folder`
    holds files that no stage made: they would be lost.
    """
    wanted, found = hash_json(dict(inputs)), fingerprint(folder)
    if found == wanted:
        return False
    if found is None and folder.exists() and not _is_empty(folder):
        raise UsageError(f"{folder} holds other files, which would be lost; choose another folder.")
    with atomic_folder(folder) as aside:
        build(aside)
        write_json(aside / MARKER, {"fingerprint": wanted, "inputs": dict(inputs)})
    return True


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
