"""Which of many processes this is, where a launcher such as `torchrun` started several.

They are one command: the first, rank 0, decides, writes and speaks; the others help it. What a
launcher says stands in the environment. Imports no torch.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from hornbook.core.errors import UsageError

_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def world() -> int:
    """How many processes there are; 1 where no launcher started several."""
    return _number("WORLD_SIZE", 1) if all(name in os.environ for name in _NEEDED) else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return _number("RANK", 0) if world() > 1 else 0


def local_rank() -> int:
    """Which of those on this machine: the number of its accelerator."""
    return _number("LOCAL_RANK", rank())


def began(at: float) -> float:
    """When a command began, by time.monotonic, of which this process began at `at`: with its
    `torchrun`, where that started all processes, and on this machine."""
    everyone = os.environ.get("LOCAL_WORLD_SIZE") == os.environ.get("WORLD_SIZE")
    again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "") != "0"
    if sys.platform != "linux" or world() == 1 or not everyone or again:
        return at
    try:
        launcher = Path(f"/proc/{os.getppid()}")
        said = launcher.joinpath("cmdline").read_bytes()
        if b"torchrun" not in said and b"torch.distributed.run" not in said:
            return at
        stat = launcher.joinpath("stat").read_text("ascii", errors="replace")
        since_boot_s = int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return at
    ago_s = time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot_s
    return min(at, time.monotonic() - ago_s)


def is_helper() -> bool:
    """Whether another process decides, writes and speaks."""
    return rank() > 0


def require_one(what: str) -> None:
    """Raises UsageError where several processes would do what one does."""
    if world() > 1:
        raise UsageError(f"{what} is done by one process; start it without a launcher.")


def end_with_launcher() -> None:
    """Ask the system for SIGTERM when the launcher dies, so that no training goes on unseen."""
    if sys.platform == "linux" and world() > 1:
        set_death_signal = 1  # PR_SET_PDEATHSIG, <sys/prctl.h>
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)


def _number(name: str, otherwise: int) -> int:
    """Raises UsageError for what is no number."""
    found = os.environ.get(name, "")
    if not found.isascii() or not found.isdecimal():
        if not found:
            return otherwise
        raise UsageError(f"{name}={found[:40]!r}: a launcher sets it to a number.")
    return int(found)
