"""Where things lie while they are made: a hidden folder beside their place, marked as unfinished.

What a killed process left is cleared away by the next that makes the same thing, but only what
bears the mark: a folder of this name without it is somebody else's.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = ".unfinished"
_ACTIVE = set[Path]()
"""What this process works in now."""
_ASIDE = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)\.(?P<kind>partial|old)", re.DOTALL)


def partial_of(place: Path) -> Path:
    """The folder in which this process makes what will be `place`."""
    return place.with_name(f".{place.name}.{os.getpid()}.partial")


def old_of(place: Path) -> Path:
    """Where this process puts what stood at `place`, until the new stands."""
    return place.with_name(f".{place.name}.{os.getpid()}.old")


def shown(path: Path) -> Path:
    """The path that a user knows for one in a folder of work."""
    parts = list(path.parts)
    for i, part in enumerate(parts):
        found = _ASIDE.fullmatch(part)
        if found and i + 1 < len(parts) and parts[i + 1] == found["name"]:
            parts[i] = ""  # of a file, which has its own name already
        elif found:
            parts[i] = found["name"]
    return Path(*(part for part in parts if part))


def begin(place: Path) -> Path:
    """Make the folder to work in, marked."""
    aside = partial_of(place)
    aside.mkdir(parents=True)
    (aside / UNFINISHED).touch()
    _ACTIVE.add(aside)
    return aside


def finish(aside: Path) -> None:
    """The folder is whole: take the mark off."""
    (aside / UNFINISHED).unlink()
    _ACTIVE.discard(aside)


def drop(aside: Path) -> None:
    """Delete a folder that `begin` made; one that bears no mark stays, unless it is empty.

    The mark goes last, so that a deletion that was stopped can be gone on with.
    """
    _ACTIVE.discard(aside)
    if not (aside / UNFINISHED).is_file():
        with contextlib.suppress(OSError):
            aside.rmdir()
        return
    for entry in aside.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != UNFINISHED:
            with contextlib.suppress(OSError):
                entry.unlink()
    with contextlib.suppress(OSError):
        (aside / UNFINISHED).unlink()
        aside.rmdir()


def sweep(place: Path) -> list[Path]:
    """Clear away what is half made beside `place` and has nobody who goes on with it.

    Returns folders that bear no mark, when a process was stopped while it put the new in its place:
    what to do with them is for who knows what lies in them.
    """
    others = []
    for left in _left(place):
        drop(left)
        if left.exists():
            others.append(left)
    return others


def _left(place: Path) -> Iterator[Path]:
    """Folders beside `place` of processes that do not run any more, or of this one from before.

    In a container every process has the number that the last one had.
    """
    for left in sorted(place.parent.glob(".*")):
        found = _ASIDE.fullmatch(left.name)
        if found is None or found["name"] != place.name:
            continue
        if left in _ACTIVE or _is_another(int(found["process"])):
            continue
        if left.is_dir() and not left.is_symlink():
            yield left


def _is_another(process: int) -> bool:
    """Whether the number is that of another process that runs."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    return True
