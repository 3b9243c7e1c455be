"""What lies in the current folder is data and never runs: of this process, and those it starts.

Downloaded models lie beside whatever else was downloaded, and Python, the loader and compilers look
into the current folder in many ways: an import path that begins there, empty and relative entries
of PATH and the like, a relative CXX. All processes of ours are started here, by an absolute path,
in another folder, without those entries.
"""

import atexit
import contextlib
import json
import os
import select
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from hornbook.core.home import home

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.context import SpawnContext

_LISTS = (
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBRARY_PATH", "COMPILER_PATH", "CPATH",
    "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "PYTHONPATH",
)  # fmt: skip
"""Variables of folders in which programs, libraries and headers are found. An empty entry is the
current folder."""
_PROGRAMS = ("CC", "CXX")
_PLACES = (
    "PYTHONSTARTUP", "PYTHONPYCACHEPREFIX", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR",
    "TRITON_HOME", "LD_PRELOAD", "LD_AUDIT",
)  # fmt: skip
"""Variables of one place from which code comes."""
_PIPE_BYTES = 2**20
"""What a pipe holds: with the usual 64 KiB both ends wait for each other all the time."""
SAFE_PATH = "PYTHONSAFEPATH"
"""Tells every Python to leave the current folder, or that of its script, out of its path."""
_PACKAGE = str(Path(__file__).parents[2])
# By its argument, as the path of a user's own installation cannot be said in other ways.
_START = (
    "import json, runpy, sys; "
    "_, path, module, *rest = sys.argv; sys.path[:] = json.loads(path); "
    "sys.argv = [module, *rest]; "
    "runpy.run_module(module, run_name='__main__', alter_sys=True)"
)


def isolate() -> None:
    """Leave the current folder out of what this process imports, and of what its children find.

    For a program's beginning: it changes `sys.path` and `os.environ`.
    """
    sys.path[:] = import_path()
    clean = environment()
    for name in set(os.environ) - set(clean):
        del os.environ[name]
    os.environ.update(clean)


def import_path() -> list[str]:
    """`sys.path` without the current folder, where it stands because of its being that."""
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    relative = {os.path.abspath(entry) for entry in entries if not _is_absolute(entry)}  # noqa: PTH100
    entered = relative if os.environ.get("PYTHONPATH") else set()
    path = [entry for entry in sys.path if _is_absolute(entry) and entry not in entered]
    if not any(Path(entry, "hornbook", "__init__.py").is_file() for entry in path):
        path.append(_PACKAGE)  # it was found where it is no longer looked for
    return path


def environment() -> dict[str, str]:
    """The environment for a process of ours."""
    found = dict(os.environ)
    for name in _PLACES:
        if not _is_absolute(found.get(name, os.sep)):
            del found[name]
    for name in _LISTS:
        if name in found:
            entries = filter(_is_absolute, found[name].split(os.pathsep))
            found[name] = os.pathsep.join(entries)
            if not found[name]:
                del found[name]
    for name in _PROGRAMS:
        if name in found and _words(found[name]) is None:
            del found[name]
    return found | {SAFE_PATH: "1"}


def program(*names: str | None) -> list[str] | None:
    """The first of these that is there, as an absolute path and its own arguments.

    A name may be that of a program, which is looked for in the absolute entries of PATH, or an
    absolute path, with arguments behind it ("ccache g++"). What is relative is not looked at.
    """
    path = environment().get("PATH", os.defpath)
    for name in filter(None, names):
        words = _words(name)
        found = shutil.which(words[0], path=path) if words else None
        if words and found and _is_absolute(found):
            return [found, *words[1:]]
    return None


def _words(command: str) -> list[str] | None:
    """A command's words; None where its program is a relative path, or there is none."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if not words or (os.path.dirname(words[0]) and not _is_absolute(words[0])):  # noqa: PTH120
        return None
    return words


def _is_absolute(place: str) -> bool:
    return Path(place).is_absolute()


def own_code() -> None:
    """Let torch keep the code that it compiles in Hornbook's folder, not in the shared one for
    temporary files, where it is loaded from a name that anybody can guess."""
    folder = home() / "compiled"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.stat()
        own = getattr(os, "geteuid", lambda: facts.st_uid)()  # Windows has no such ids
        if facts.st_uid == own and not facts.st_mode & 0o022:
            os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def python(module: str, *arguments: str) -> list[str]:
    """The command for a module of ours or of a library, with the path of this process."""
    executable = os.path.abspath(sys.executable)  # noqa: PTH100  a link stays one: it is the venv
    return [executable, "-I", "-c", _START, json.dumps(import_path()), module, *arguments]


def run(command: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run to its end in `folder`, a folder of ours; what it says is captured."""
    import subprocess  # takes as long to import as all that a command begins with

    return subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def start_beside(
    command: Sequence[str], said: IO[bytes], more: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start what is spoken to by its input and output. said: for its errors. more: as below."""
    import subprocess

    return subprocess.Popen(
        command,
        cwd=Path(os.path.abspath(os.sep)),  # noqa: PTH100
        env=environment() | dict(more),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        pipesize=_PIPE_BYTES,
    )


def start_aside(command: Sequence[str], more: Mapping[str, str]) -> None:
    """Start what says nothing and calls `end_with_starter`; nobody waits for it. more: for its
    environment."""
    import subprocess

    begun = subprocess.Popen(
        command,
        cwd=Path(os.path.abspath(os.sep)),  # noqa: PTH100
        env=environment() | dict(more),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with contextlib.suppress(RuntimeError):  # no thread can be started
        threading.Thread(target=begun.wait, daemon=True).start()  # so that nothing of it stays
    atexit.register(_let_go_on, begun)


def start_apart(
    command: Sequence[str], said: IO[bytes], held: int, answered: IO[bytes] | None = None
) -> int:
    """Start what goes on when this process ends, in a session of its own; returns its id.

    said: where all that it says is written. held: a file that it keeps open as long as it lives,
    none where it is negative. answered: where its standard output goes, with the rest if None.
    """
    import subprocess

    begun = subprocess.Popen(
        command,
        cwd=Path(os.path.abspath(os.sep)),  # noqa: PTH100
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=answered or said,
        stderr=said,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        pass_fds=(held,) if held >= 0 else (),
    )
    threading.Thread(target=begun.wait, daemon=True).start()  # so that nothing of it stays
    return begun.pid


_ENDED_WELL = b"."


def _let_go_on(begun: "subprocess.Popen[bytes]") -> None:
    assert begun.stdin is not None
    with contextlib.suppress(OSError):  # it is there no more
        os.write(begun.stdin.fileno(), _ENDED_WELL)


def end_with_starter(longest_s: float) -> None:
    """In a process that `start_aside` began: end it and its own, by SIGTERM, when its starter is
    killed, or when it takes longer. Where the starter ends by itself, it goes on."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_watch, args=(longest_s,), daemon=True).start()


def _watch(longest_s: float) -> None:
    ready, _, _ = select.select([sys.stdin], [], [], longest_s)
    if ready and os.read(sys.stdin.fileno(), 1) == _ENDED_WELL:
        time.sleep(longest_s)
    os.killpg(0, signal.SIGTERM)  # the group is its own


def spawn_context() -> "SpawnContext":
    """For processes that share work with this one: spawned, as threads of libraries survive no
    fork.

    They take over the path of this process, but only after their first imports.
    """
    import multiprocessing

    os.environ[SAFE_PATH] = "1"
    return multiprocessing.get_context("spawn")
