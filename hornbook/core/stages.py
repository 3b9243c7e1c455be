"""A stage is a folder that is built once for given inputs, and marked when it is whole.

The marker is written last, inside a folder that appears by rename: a folder with a marker is
complete, whatever happened.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim, marker_of
from hornbook.core.files import hash_json
from hornbook.core.folders import atomic_folder, damage


def fingerprint(folder: Path) -> str | None:
    """The fingerprint of the inputs a finished stage was built from; None when not finished."""
    found = (marker_of(folder) or {}).get("fingerprint")
    return None if found is None else str(found)


def run_stage(
    folder: Path, claim: Claim, inputs: Mapping[str, Any], build: Callable[[Path], None]
) -> bool:
    """Build `folder` unless it is already built from the same `inputs`.

    `inputs` is plain data naming all that decides the result (fingerprints of earlier stages,
    settings, a version of the code); `build` fills the empty folder it is given. Returns True
    when the folder was built now and False when it was reused. Raises UsageError when `folder`
    is not the claim's to replace, or a file in it is not what was written.
    """
    wanted = hash_json(dict(inputs))
    if fingerprint(folder) == wanted and damage(folder) is None:
        return False
    with atomic_folder(folder, claim, {"fingerprint": wanted, "inputs": dict(inputs)}) as aside:
        build(aside)
    return True
