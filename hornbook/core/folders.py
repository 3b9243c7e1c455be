"""Folders that commands write: whole or not at all, and never in place of what is not their own.

A marker in each says who made it, from what, and which files were written. A folder is replaced
only by its own maker, from the same sources; what is replaced is set aside until the new stands,
then only the files of the list go, and what else lies there comes along.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from hornbook.core import asides
from hornbook.core.claims import MARKER, Claim, marker_of, same_sources, what_was_made
from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.files import (
    disk_errors,
    flush,
    hash_file,
    place_errors,
    write_json,
)
from hornbook.core.signals import held

_HASHED = 4 * 2**20
"""Bytes of a file up to which a look at a folder reads it; of larger ones the size is compared."""
_SHOWN = 3
"""Names in a message."""


def check_place(folder: Path, claim: Claim, *, whole: bool = True) -> None:
    """Raises UsageError where `claim` may not write `folder`: something else lies there.

    whole: the folder is to be replaced, not added to.
    """
    place = _real(folder)
    with disk_errors(folder):
        _recover(place)
    if not os.path.lexists(place):
        return
    if not place.is_dir():
        raise UsageError(f"{folder} is a file, which would be lost; choose another --out.")
    if os.path.ismount(place):
        raise UsageError(f"{folder} is where a disk begins; name a folder in it.")
    if whole and _stands_in(place):
        raise UsageError(
            f"{folder} is where you are, and would be replaced; call the command from elsewhere."
        )
    if is_free(place):
        return
    found = marker_of(place)
    if found is None:
        raise UsageError(
            f"{folder} holds other files ({_some(place)}), which would be lost; choose another "
            "--out."
        )
    if not isinstance(found.get("maker"), str) or "files" not in found:
        raise UsageError(
            f"{folder} was made by an older Hornbook, which did not note what is its own there; "
            "delete it, or choose another --out."
        )
    if found["maker"] != claim.maker or not same_sources(found, claim, place):
        raise UsageError(f"{folder} holds {what_was_made(found)}; choose another --out.")
    if not claim.repairs and (name := _changed(place)):
        raise UsageError(
            f"{folder / name} was changed since it was written and would be lost; move it away, or "
            "choose another --out."
        )


def is_free(folder: Path) -> bool:
    """Whether nothing lies in a folder, or nothing but a marker of what was never written."""
    names = {entry.name for entry in os.scandir(folder)}
    return not names or (names == {MARKER} and marker_of(folder) is not None)


@contextlib.contextmanager
def atomic_folder(
    folder: Path, claim: Claim, facts: Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; it takes its place only when the block succeeds.

    facts: what the marker says besides. Raises UsageError, before the block, for a folder that is
    not the claim's to replace, and HornbookError when the disk refuses.
    """
    check_place(folder, claim)
    place = _real(folder)
    aside, old = asides.partial_of(place), asides.old_of(place)
    try:
        with disk_errors(folder):
            with place_errors(folder):
                asides.begin(place)
            yield aside
            _mark(aside, place, claim, facts or {})
            for file in sorted(aside.rglob("*")):
                flush(file)
            with held():
                _exchange(aside, place, old, claim)
    finally:
        with held():
            if old.exists() and not place.exists():
                old.rename(place)
            asides.drop(aside)
            _delete(aside)  # if it was whole, and could not take its place


def _exchange(aside: Path, place: Path, old: Path, claim: Claim) -> None:
    """Put the new in its place. A crash between two steps is mended by `_recover`."""
    check_place(place, claim)  # it may have been hours
    if place.exists() and not is_free(place):
        for name in _unlisted(place):
            if os.path.lexists(aside / name):
                raise HornbookError(
                    f"{place / name} is not Hornbook's own, and what was made now has a file of "
                    "this name; move it away. Nothing was changed."
                )
        place.rename(old)
    elif place.exists():
        with contextlib.suppress(FileNotFoundError):
            (place / MARKER).unlink()
        place.rmdir()
    asides.finish(aside)
    aside.rename(place)
    flush(place.parent)
    if old.exists():
        _retire(old, place)


def add(folder: Path, claim: Claim, *names: str) -> None:
    """Say in the marker that `names` in `folder` are the maker's, before they are written.

    The folder is made where there is none. A name may be a folder with a marker of its own. Raises
    UsageError as `check_place`, and where one of the names is there and is somebody else's.
    """
    check_place(folder, claim, whole=False)
    found = marker_of(folder) if folder.is_dir() else None
    files = {} if found is None or is_free(folder) else found["files"]
    for name in names:
        if os.path.lexists(folder / name) and name not in files:
            raise UsageError(
                f"{folder / name} is not Hornbook's own and would be lost; move it away, or choose "
                "another --out."
            )
    if found is None or any(files.get(name, ()) is not None for name in names):
        sign(folder, claim, *names)


def sign(folder: Path, claim: Claim, *names: str) -> None:
    """As `add`, for a folder of which it is known that it is the maker's."""
    found = marker_of(folder) or {}
    files = {} if folder.is_dir() and is_free(folder) else found.get("files", {})
    marker = {**found, **_signed(folder, claim), "files": {**files, **dict.fromkeys(names)}}
    write_json(folder / MARKER, marker)


def list_part(folder: Path, name: str) -> None:
    """Say in the marker of a finished folder that `name` in it is its maker's, before it is
    written. Raises UsageError where something of that name is there and is somebody else's.
    """
    found = marker_of(folder) or {}
    files = found.get("files", {})
    if name in files:
        return
    if os.path.lexists(folder / name):
        raise UsageError(f"{folder / name} is not Hornbook's own and would be lost; move it away.")
    with disk_errors(folder):
        write_json(folder / MARKER, {**found, "files": {**files, name: None}})


@contextlib.contextmanager
def entering(folder: Path, claim: Claim, *names: str) -> Iterator[None]:
    """As `add`; when the block fails before anything was written, nothing is left."""
    there = folder.exists()
    add(folder, claim, *names)
    try:
        yield
    finally:
        if is_free(folder):
            (folder / MARKER).unlink()
            if not there:
                folder.rmdir()


def damage(folder: Path, whole: bool = False) -> str | None:
    """The first file of a folder that is not what was written, and why; None where all are.

    whole: read large files too. A folder without a marker says nothing.
    """
    if (folder / MARKER).is_file() and "files" not in (marker_of(folder) or {}):
        return f"{MARKER} is not what was written"
    for name, (size, digest) in _written(folder).items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size:,} bytes where {size:,} were written"
        if digest and (whole or size <= _HASHED) and hash_file(path) != digest:
            return f"{name} is not what was written"
    return None


def discard(folder: Path) -> None:
    """Delete what a marker lists, and the folder where nothing else is in it."""
    place = _real(folder)
    for found in (*asides.sweep(place), place):
        if found.is_dir() and marker_of(found) is not None:
            _delete(found)


def _mark(aside: Path, place: Path, claim: Claim, facts: Mapping[str, Any]) -> None:
    paths = sorted(path for path in aside.rglob("*") if not path.is_dir())
    files = {
        path.relative_to(aside).as_posix(): [path.stat().st_size, _hash(path, claim)]
        for path in paths
        if path != aside / asides.UNFINISHED
    }
    write_json(aside / MARKER, {**_signed(place, claim), **facts, "files": files})


def _hash(path: Path, claim: Claim) -> str:
    """ "" for a large file that is never read whole to look for damage: nobody would compare it."""
    large = path.stat().st_size > _HASHED
    return "" if large and not claim.whole else hash_file(path)


def _signed(folder: Path, claim: Claim) -> dict[str, Any]:
    return {"maker": claim.maker, "of": claim.of(_real(folder))}


def _recover(place: Path) -> None:
    """Finish or undo what a process that was killed began."""
    for left in asides.sweep(place):
        if marker_of(left) is None:
            continue  # it is none of ours
        if left.suffix == ".partial":
            _delete(left)
        elif not place.exists():
            left.rename(place)
        else:
            _retire(left, place)


def _retire(old: Path, place: Path) -> None:
    """Bring what is not listed to the new folder, then delete the rest."""
    for name in list(_unlisted(old)):
        target = place / name
        if not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            (old / name).rename(target)
    _delete(old)


def _delete(folder: Path) -> None:
    """Delete listed files, folders that are empty then, and last the marker."""
    if marker_of(folder) is None:
        return
    listed = {name for name in _listed(folder) if not _behind_link(folder, name)}
    for name in listed:
        with contextlib.suppress(OSError):
            (folder / name).unlink()
    for name in sorted(_folders(listed), key=len, reverse=True):
        with contextlib.suppress(OSError):
            (folder / name).rmdir()
    if is_free(folder):
        with contextlib.suppress(OSError):
            (folder / MARKER).unlink()
            folder.rmdir()


def _unlisted(folder: Path) -> Iterator[str]:
    """Files, links and whole folders that the marker does not list."""
    listed = _listed(folder)
    ours = _folders(listed)

    def walk(inside: str) -> Iterator[str]:
        for entry in sorted(os.scandir(folder / inside), key=lambda entry: entry.name):
            name = f"{inside}/{entry.name}" if inside else entry.name
            if name in ours and entry.is_dir(follow_symlinks=False):
                yield from walk(name)
            elif name not in listed and name != MARKER:
                yield name

    return walk("")


def _listed(folder: Path) -> set[str]:
    """The names of the files that are the maker's, those of folders inside it too."""
    files = (marker_of(folder) or {}).get("files") or {}
    found = set[str]()
    for name, facts in files.items():
        inner = folder / name
        if facts is None and inner.is_dir() and marker_of(inner) is not None:
            found |= {f"{name}/{other}" for other in (*_listed(inner), MARKER)}
        else:
            found.add(name)
    return found


def _folders(names: Iterable[str]) -> set[str]:
    """All folders on the way to files."""
    return {str(parent) for name in names for parent in PurePosixPath(name).parents} - {"."}


def _written(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and hash of the listed files of which they are known."""
    files = (marker_of(folder) or {}).get("files") or {}
    return {name: (facts[0], facts[1]) for name, facts in files.items() if facts is not None}


def _changed(folder: Path) -> str | None:
    """A listed file that somebody wrote anew; one that is gone is nobody's loss."""
    for name, (size, digest) in _written(folder).items():
        path = folder / name
        if not os.path.lexists(path):
            continue
        if not path.is_file() or path.is_symlink() or _behind_link(folder, name):
            return name
        if path.stat().st_size != size:
            return name
        if size <= _HASHED and hash_file(path) != digest:
            return name
    return None


def _behind_link(folder: Path, name: str) -> bool:
    """Whether a folder on the way to a file is a link to somewhere else."""
    return any((folder / inner).is_symlink() for inner in _folders([name]))


def _stands_in(place: Path) -> bool:
    """Whether this process works in a folder; it would go on in one that is gone."""
    try:
        return Path(os.path.realpath(Path.cwd())).is_relative_to(place)
    except FileNotFoundError:
        return False


def _some(folder: Path) -> str:
    names = sorted(entry.name for entry in os.scandir(folder))
    return ", ".join(names[:_SHOWN]) + (" and more" if len(names) > _SHOWN else "")


def _real(folder: Path) -> Path:
    """Behind links, and with a name even for `.`."""
    return Path(os.path.realpath(folder))
