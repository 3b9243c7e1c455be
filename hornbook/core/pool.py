"""The same work on many items in several processes, results in the items' order.

Knows processes; knows nothing of the work.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel(
    work: Callable[[Item], Result], items: Sequence[Item], processes: int | None = None
) -> Iterator[Result]:
    """`work` of each item, in order; in this process when one is enough.

    work, its items and results must be picklable. processes: at most so many, or None for one a
    processor. The first exception of any item is raised here, and Ctrl-C is, too.
    """
    count = min(processes or cores(), len(items))
    if count <= 1:
        yield from map(work, items)
        return
    # Spawned, not forked: threads of libraries do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_leave_ctrl_c) as pool:
        yield from pool.map(work, items)


def _leave_ctrl_c() -> None:
    """Ctrl-C reaches all processes of a terminal; the one that asked for the work answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
