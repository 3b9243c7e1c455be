"""Where built kernels lie: loaded only whole, and only from a folder that nobody else can write.

A library is code that runs at every start. Its last bytes are the hash of all others, so a file
that was cut short or damaged is built again instead of ending the process. Knows files; knows
nothing of what the kernels compute.
"""

import contextlib
import ctypes
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from hornbook.core.files import atomic_file, place_errors

_DIGEST = hashlib.sha256
_SIZE = _DIGEST().digest_size
_OPEN = Path("/proc/self/fd")
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@contextlib.contextmanager
def alone(path: Path, wait: bool = True) -> Iterator[None]:
    """Inside, no other process builds what lies at `path`; it ends with this one if that ends.

    Raises HornbookError where the folder cannot be written to, and BlockingIOError where another
    one is at it and is not waited for.
    """
    import fcntl

    with place_errors(path):
        prepare(path.parent)
        file = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)


def keep(made: Path, path: Path) -> None:
    """Put what was built in its place, with its hash."""
    prepare(path.parent)
    if path.is_dir():
        drop(path)
    whole = made.read_bytes()
    with atomic_file(path) as aside:
        aside.write_bytes(whole + _DIGEST(whole).digest())


def move(kept: Path, path: Path) -> None:
    """Let a library that was kept lie at `path` instead."""
    if path.is_dir():
        drop(path)
    kept.replace(path)


def drop(path: Path) -> None:
    """Take away what lies in a library's place, whatever it is."""
    if path.is_dir():
        path.rename(path.with_suffix(f".{time.time_ns()}"))
    path.unlink(missing_ok=True)


def prepare(folder: Path) -> None:
    """Make the folder ours alone; what lies in one that others could write is not trusted.

    A link stays as it is: others could have let it point to a folder with files of its own.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.lstat()
    if stat.S_ISDIR(facts.st_mode) and facts.st_mode & _OTHERS and facts.st_uid == os.geteuid():
        folder.chmod(0o700)
        for path in folder.glob("*.so"):
            if not path.is_dir():
                path.unlink()


def is_own(folder: Path) -> bool:
    """Whether a folder is this user's, or not there yet."""
    return not folder.exists() or folder.stat().st_uid == os.geteuid()


def is_whole(path: Path) -> bool:
    """Whether a library can be loaded."""
    with contextlib.suppress(OSError), _folder(path.parent) as folder:
        return _is_whole(path.name, folder)
    return False


def load(path: Path) -> ctypes.CDLL:
    """Load a library that was kept. Raises OSError where it is not whole, or cannot be loaded."""
    with _folder(path.parent) as folder:
        if not _is_whole(path.name, folder):
            raise OSError(f"{path} is not whole")
        # By the open folder: what is checked is what is loaded, whoever renames folders above it.
        # It stays open, as the loader takes a path that it has seen for the same library. macOS has
        # no paths of open folders.
        held = _OPEN / str(os.dup(folder)) if _OPEN.is_dir() else path.parent
        return ctypes.CDLL(str(held / path.name))


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    """The folder, open. Raises OSError when it is not there, not ours, or not ours alone."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        facts = os.fstat(folder)
        if facts.st_uid != os.geteuid() or facts.st_mode & _OTHERS:
            raise OSError(f"others can write to {path}")
        yield folder
    finally:
        os.close(folder)


def _is_whole(name: str, folder: int) -> bool:
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(file, "rb") as stream:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            return False
        whole = stream.read()
    return _DIGEST(whole[:-_SIZE]).digest() == whole[-_SIZE:]
