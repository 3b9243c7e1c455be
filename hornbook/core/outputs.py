"""Single files that commands write: a file that is there is replaced only by who wrote it.

A file cannot carry a marker, so Hornbook's own folder remembers what was written: by which command,
from what, and with which content. Any other file, and one that was changed since, stays.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hornbook.core.claims import Claim, same_sources, what_was_made
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import (
    atomic_file,
    hash_file,
    hash_json,
    place_errors,
    read_json,
    write_json,
)
from hornbook.core.home import home

_FOLDER = "written"


def check_file(path: Path, claim: Claim) -> None:
    """Raises UsageError where `claim` may not write `path`: something else lies there."""
    place = _real(path)
    for source in claim.sources:
        if isinstance(source, Path) and _is_same(place, source):
            raise UsageError(f"{path} is what the command reads; choose another --out.")
    with place_errors(path):
        there = os.path.lexists(place)
    if not there:
        return
    if place.is_dir():
        raise UsageError(f"{path} is a folder; name a file.")
    if not place.is_file():
        raise UsageError(f"{path} is no plain file; choose another --out.")
    found = _remembered(place)
    if found is None or hash_file(place) not in found["contents"]:
        raise UsageError(
            f"{path} exists, and is not what Hornbook wrote there; delete it, or choose another "
            "--out."
        )
    if found["maker"] != claim.maker or not same_sources(found, claim, place.parent):
        raise UsageError(f"{path} holds {what_was_made(found)}; choose another --out.")


@contextlib.contextmanager
def output_file(path: Path, claim: Claim) -> Iterator[Path]:
    """As `atomic_file`, for a file that a user named. Raises UsageError as `check_file`."""
    check_file(path, claim)
    place = _real(path)
    before = (_remembered(place) or {}).get("contents", []) if place.exists() else []
    with atomic_file(place) as aside:
        yield aside
        now = hash_file(aside)
        # Before and after the file takes its place, as the process may end between them.
        _remember(place, claim, [*before, now])
    _remember(place, claim, [now])


def _remember(place: Path, claim: Claim, contents: list[str]) -> None:
    """A folder that cannot be written to forgets; then the file is not replaced next time."""
    made = {"maker": claim.maker, "of": claim.of(place.parent), "contents": contents}
    with contextlib.suppress(HornbookError, OSError):
        write_json(_note(place), made)


def _remembered(place: Path) -> dict[str, Any] | None:
    try:
        found = read_json(_note(place))
    except (HornbookError, OSError):
        return None
    return found if isinstance(found, dict) and {"maker", "of", "contents"} <= {*found} else None


def _note(place: Path) -> Path:
    """Where it is remembered what was written to a place."""
    return home() / _FOLDER / f"{hash_json(str(place))}.json"


def _is_same(place: Path, source: Path) -> bool:
    try:
        return place.samefile(source)
    except OSError:
        return False


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
