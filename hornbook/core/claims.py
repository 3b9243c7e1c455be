"""Who made a folder or file, and from what: as a command says it, and as a marker has it."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.files import hash_json, read_json

MARKER = "stage.json"
_SHOWN = 3
"""Sources that are named in a message."""


class Claim(NamedTuple):
    """Who writes a folder, and from what.

    maker: the command or part of one. sources: what decides what it is, each a place or, as text,
    a name; none where the folder's place says it, as inside a run. repairs: whether files that
    were changed are replaced as well: nobody writes there by hand. whole: whether large files are
    read whole to look for damage.
    """

    maker: str
    sources: tuple[Path | str, ...] = ()
    repairs: bool = False
    whole: bool = False

    def of(self, folder: Path) -> list[dict[str, str]]:
        """The sources as a marker has them: a name to show, and hashes of where they lie.

        Hashes, since folders are given away. From the root and from the folder, so that a project
        may be moved as a whole.
        """
        return [_described(source, folder) for source in self.sources]


def beside(path: Path, before: str, after: str) -> Path:
    """A path in the same folder whose name has more before and behind it; `.` has a name too."""
    named = path if path.name not in ("", "..") else Path(os.path.realpath(path))
    return named.parent / f"{before}{named.name}{after}"


def place_or_name(model: Path) -> Path | str:
    """What a user calls a model: a path where it is one, else the name of a pulled one."""
    return model if model.exists() else str(model)


def _described(source: Path | str, folder: Path) -> dict[str, str]:
    if isinstance(source, str):
        return {"name": source, "place": hash_json(source)}
    place = Path(os.path.realpath(source))
    found = {"name": place.name or str(place), "place": hash_json(str(place))}
    with contextlib.suppress(ValueError):  # another drive
        found["beside"] = hash_json(os.path.relpath(place, folder))
    return found


def marker_of(folder: Path) -> dict[str, Any] | None:
    """What a folder's marker says; None where there is none, or what is there is none of ours."""
    path = folder / MARKER
    if not path.is_file():
        return None
    try:
        found = read_json(path)
    except HornbookError:
        return None
    known = isinstance(found, dict) and ("maker" in found or "fingerprint" in found)
    return found if known and _is_list(found.get("files", {})) else None


def _is_list(files: Any) -> bool:
    """Whether a marker's files are names inside its folder: nothing is deleted by any other."""
    return isinstance(files, dict) and all(
        not PurePosixPath(name).is_absolute()
        and ".." not in PurePosixPath(name).parts
        and (facts is None or [type(fact) for fact in facts] == [int, str])
        for name, facts in files.items()
    )


def same_sources(found: Mapping[str, Any], claim: Claim, folder: Path) -> bool:
    """Whether all that the folder was made from is among what it is made from now."""
    if not claim.sources:
        return True
    own = claim.of(folder)
    known = {(key, source[key]) for source in own for key in ("place", "beside") if key in source}
    return all(
        ("place", source.get("place")) in known or ("beside", source.get("beside")) in known
        for source in found.get("of", [])
    )


def what_was_made(found: Mapping[str, Any]) -> str:
    """What lies there, for people."""
    names = [str(source.get("name")) for source in found.get("of", [])]
    if not names:
        return f"what `{found['maker']}` made"
    more = f" (+{len(names) - _SHOWN})" if len(names) > _SHOWN else ""
    return f"what `{found['maker']}` made of {', '.join(names[:_SHOWN])}{more}"
