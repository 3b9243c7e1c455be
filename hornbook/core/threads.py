"""How many threads compute, and how they wait for each other: the one place that decides it.

Threads that meet at the end of each product wait by spinning, for milliseconds by default. Beside
other programs that is a catastrophe: the one that spins uses up the time for which the other one
waits. So ours spin briefly and then sleep, which is several times as fast beside busy programs
(docs/log.md, `benchmarks/busy.py`). Where still more computes, one thread alone may be faster than
several, which is measured. How threads wait changes no bit of a result, how many there are does:
so whoever changes their number writes it down. Imports torch only to tell it their number: a
runtime reads what is written here when it is loaded.
"""

import math
import os
import time
from collections.abc import Callable, Collection, MutableMapping
from functools import cache
from pathlib import Path

from hornbook.core.errors import UsageError

_SPINS = 2000
"""Looks at a barrier before a thread sleeps: about a tenth of a millisecond, several times what it
takes to wake one up."""
_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
_MOST_A_PROCESSOR, _MOST = 4, 64
"""Threads that may be asked for: so many a processor, or so many where that is less."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads sleep that have nothing to do; for runtimes loaded later and child processes.

    What the user says about waiting stays. Of use only before torch and its like are imported.
    """
    if not any(name in environment for name in _WAITING):
        environment["GOMP_SPINCOUNT"] = str(_SPINS)
        environment["KMP_BLOCKTIME"] = "1"  # milliseconds, of the runtime of Intel and LLVM


def threads() -> int:
    """How many threads compute best: OMP_NUM_THREADS, or one for each core that we may use.

    A container that is given the time of fewer processors than it sees counts those.
    Raises UsageError as `asked_threads` does.
    """
    cores = len({_core(cpu) for cpu in processors()})
    return asked_threads() or max(1, min(cores, _quota() or cores))


def asked_threads() -> int | None:
    """OMP_NUM_THREADS; None where it is not set.

    Raises UsageError for what is no number of threads or more than this machine can start.
    """
    found = os.environ.get("OMP_NUM_THREADS", "")
    asked = found.split(",")[0].strip()  # a list is for parallel parts inside of others
    if not found.strip():
        return None
    most = max(_MOST, _MOST_A_PROCESSOR * len(processors()))
    if asked.isascii() and asked.isdecimal() and len(asked) < 10 and 1 <= int(asked) <= most:
        return int(asked)
    raise UsageError(
        f"OMP_NUM_THREADS={found[:40]!r}: must be a number from 1 to {most}; this machine has "
        f"{len(processors())} processors."
    )


_ours: list[tuple[int, int]] = []
"""The number that `use` told torch last, and the one that torch had before Hornbook told any."""


def own() -> int:
    """How many threads torch takes, were it not for `use`: its own number, or the user's."""
    import torch

    now = int(torch.get_num_threads())
    return _ours[-1][1] if _ours and _ours[-1][0] == now else now


def use(count: int) -> None:
    """Let torch compute with so many threads."""
    import torch

    _ours[:] = [(count, own())]
    torch.set_num_threads(count)


def faster(work: Callable[[], object], most: int, rounds: int = 3, most_s: float = math.inf) -> int:
    """1 or `most`: with how many threads `work` is done sooner, by turns; leaves torch with those.

    Of two that differ little it is 1, which leaves more to the others; so it is where a trial would
    take more than `most_s` seconds. Where nobody else computes, or the user said how many, nothing
    is tried.
    """
    if most == 1 or asked_threads() or slowness() < _BUSY:
        use(most)
        return most
    seconds = {1: 0.0, most: 0.0}
    use(1)
    until = time.monotonic() + most_s
    work()  # kernels are prepared in the first
    for _ in range(rounds):
        if time.monotonic() > until:
            break
        for count in seconds:
            use(count)
            began = time.monotonic()
            work()
            seconds[count] += time.monotonic() - began
    chosen = most if seconds[most] < _CLEARLY * seconds[1] else 1
    use(chosen)
    return chosen


_BUSY, _CLEARLY = 1.25, 0.9
"""From how slow a processor is tried with how many threads, and what is clearly less time."""


def slowness(seconds: float = 0.1) -> float:
    """How many times as long one thread takes as on a processor of its own; 1 where it has one."""
    began, computed = time.monotonic(), time.thread_time()
    while time.monotonic() - began < seconds:
        pass
    return max(1.0, (time.monotonic() - began) / max(1e-3, time.thread_time() - computed))


def processors() -> Collection[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _quota() -> int | None:
    """Processors whose time the container of this process is given, rounded up; None for all."""
    try:
        given, period = _QUOTA.read_text(encoding="ascii").split()
        return None if given == "max" else math.ceil(int(given) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


@cache
def _core(cpu: int) -> str:
    """A name for the core that a processor of the system is a thread of."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return str(cpu)
