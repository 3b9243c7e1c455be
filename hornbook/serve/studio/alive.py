"""Whether a process that was begun still lives, whoever asks.

Where locks of files go over to a child, it holds one as long as it lives, however it ends. Windows
has no such locks: there it is known by its id and by when it began.
"""

import contextlib
import datetime
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HAS_LOCKS = os.name == "posix"
NO_FILE = -1
_APART_S = 5.0
"""Between a process's beginning and what was noted of it: an id is another's after a while."""


@contextlib.contextmanager
def lock_of(path: Path, noted: dict[str, Any]) -> Iterator[int | None]:
    """The open file at `path`, locked, or NO_FILE where there are no locks; None while the process
    that was begun lives. noted: its `pid`, and when it `started`, ISO 8601."""
    if not HAS_LOCKS:
        yield None if _lives(noted) else NO_FILE
        return
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locked = True
    except BlockingIOError:
        locked = False
    try:
        yield descriptor if locked else None
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of a folder; False where there are no locks."""
    if not HAS_LOCKS:
        return False
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def end_process(pid: int, at_once: bool = False) -> None:
    """Ask a process to save and end, or end it. Windows knows no SIGTERM that a process can answer:
    what was begun in a group of its own is sent Ctrl-Break there."""
    gentle = getattr(signal, "CTRL_BREAK_EVENT", signal.SIGTERM)
    strict = getattr(signal, "SIGKILL", signal.SIGTERM)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, strict if at_once else gentle)


def _lives(noted: dict[str, Any]) -> bool:
    import psutil

    try:
        process = psutil.Process(int(noted["pid"]))
        began = datetime.datetime.fromisoformat(noted["started"]).timestamp()
        near = abs(process.create_time() - began) < _APART_S
        return bool(near and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, KeyError, ValueError, TypeError):
        return False
