"""Building the kernels: once at a time, tried before they are kept, and failures noted.

A command that finds none starts a process that builds them, and does not wait for it. That one
ends with the command where this is killed; where the command ends by itself, the process goes on
for the few seconds that are left. How it failed is a file beside the kernels, for the next command
to tell; an hour later another attempt is made.
"""

import contextlib
import tempfile
import time
from pathlib import Path

from hornbook.core.errors import HornbookError
from hornbook.core.files import write_text
from hornbook.core.home import home
from hornbook.core.isolation import python, run, start_aside
from hornbook.kernels import store
from hornbook.kernels.compiler import Tools

BEING_BUILT = "they are being built in the background, for the next time"
BESIDE, CHECK = "beside", "check"
"""Arguments of `python -m hornbook.kernels`."""
_MODULE = "hornbook.kernels"
LONGEST_S, _AGAIN_S = 600, 3600
"""How long an attempt may take, and when the next is made after a failed one."""
_SHOWN = 200
"""Characters of a compiler's complaint in a message."""


def build(tools: Tools, wait: bool = True) -> Path | None:
    """Compile the kernels unless they are there. Returns where they lie, or None where that failed,
    with the reason in a file.

    wait: for another process that is at it; BlockingIOError is raised otherwise. Raises
    HornbookError where nothing can be written.
    """
    path = tools.place()
    with store.alone(path, wait):
        if store.is_whole(path):
            return path
        trial = path.with_suffix(".trial.so")
        try:
            said = _made(tools, trial) or _tried(trial)
            if said is None:
                store.move(trial, path)
        except (HornbookError, OSError) as error:
            said = f"{error}\n"
        finally:
            store.drop(trial)
        if said is None:
            _failed(path).unlink(missing_ok=True)
            return path
        write_text(_failed(path), said)
    return None


def _made(tools: Tools, path: Path) -> str | None:
    """Compile to `path`; what was said where that failed."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        command = tools.command(made)
        done = run(command, Path(folder))
        if done.returncode:
            return done.stderr or f"{command[0]} ended with {done.returncode}\n"
        store.keep(made, path)
    return None


def _tried(path: Path) -> str | None:
    """What is wrong with a library; in a process of its own, which it may end."""
    done = run(python(_MODULE, CHECK, str(path)), path.parent)
    if done.returncode == 0:
        return None
    return done.stderr or f"the kernels ended the process that tried them ({done.returncode})\n"


def failure(path: Path) -> str | None:
    """Why building failed, in a line, for as long as no other attempt is made."""
    note = _failed(path)
    with contextlib.suppress(OSError):
        if time.time() - note.stat().st_mtime < _AGAIN_S:
            lines = note.read_text(encoding="utf-8").split("\n")
            said = next((line for line in lines if "error" in line), lines[0])
            return f"building or loading ours failed: {said[:_SHOWN]} ({note} has all of it)"
    return None


def start(path: Path) -> str:
    """Begin to build in a process of its own unless one is at it; says what is to be expected."""
    try:
        with store.alone(path, wait=False):
            pass
    except BlockingIOError:
        return BEING_BUILT
    except HornbookError:
        return f"{path.parent} cannot be written to"
    try:
        start_aside(python(_MODULE, BESIDE), {"HORNBOOK_HOME": str(home().absolute())})
    except OSError as error:
        return f"no process can be started to build ours: {error.strerror}"
    return BEING_BUILT


def _failed(path: Path) -> Path:
    return path.with_suffix(".failed.txt")
