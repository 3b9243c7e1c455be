"""The same work on many items at once, results in the items' order: here, or on a Ray cluster."""

import contextlib
import os
import signal
import tempfile
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from hornbook.core.errors import HornbookError, UsageError, unknown
from hornbook.core.isolation import spawn_context
from hornbook.core.signals import held
from hornbook.core.threads import processors

Item = TypeVar("Item")
Result = TypeVar("Result")


_KILLED = 3
"""Times that processes may be killed in one piece of work: a system without memory kills again."""


class Runner(ABC):
    """Where work is done. What it reads and writes lies on a disk that all workers see."""

    @abstractmethod
    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """`work` of each item, in order; work, items and results must be picklable.

        The first exception of any item is raised here.
        """


class Local(Runner):
    """Processes of this machine, or this process alone when one is enough.

    They stay for later work: starting one costs as much as a small stage. They end with this
    object. One that is killed costs what was under way, which is done anew: whoever writes does so
    whole or not at all. processes: at most so many, or None for one a processor.
    """

    def __init__(self, processes: int | None = None) -> None:
        self.processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._size = 0

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        count = min(self.processes or len(processors()), len(items))
        if count <= 1:
            yield from map(work, items)
            return
        done = killed = 0
        while done < len(items):
            try:
                with held(), _ctrl_c_waits():
                    results = self._of(count).map(work, items[done:])
                for result in results:
                    done += 1
                    yield result
            except BrokenProcessPool as error:
                self._end()
                killed += 1
                if killed > _KILLED:
                    raise HornbookError(
                        f"A process that works on a part was killed {killed} times, as the system "
                        "does where memory runs out. Close other programs, or give it less at once."
                    ) from error
            except BaseException:
                self._end()
                raise

    def _end(self) -> None:
        """What is under way ends first: it may still write where the caller will clean up."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _of(self, count: int) -> ProcessPoolExecutor:
        """The pool, with at least so many processes."""
        if self._pool is None or self._size < count:
            if self._pool is not None:
                self._pool.shutdown()
            self._size = count
            context = spawn_context()
            self._pool = ProcessPoolExecutor(count, mp_context=context, initializer=_leave_ctrl_c)
        return self._pool


class Ray(Runner):
    """The workers of a Ray cluster: that of RAY_ADDRESS, or else one that is started here."""

    def __init__(self) -> None:
        try:
            import ray
        except ImportError:
            raise UsageError("Ray is missing: pip install 'hornbook[ray]'.") from None
        self._ray: Any = ray
        if not ray.is_initialized():
            # Its workers would import from the folder that is the current one now.
            with contextlib.chdir(tempfile.gettempdir()):
                ray.init(log_to_driver=False, configure_logging=False, include_dashboard=False)

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        remote = self._ray.remote(max_retries=3)(_in_folder)
        shared = Path.cwd(), self._ray.put(work)
        # A few items a processor are under way: their results wait in memory for their turn.
        most = 2 * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        waiting: deque[Any] = deque()
        for item in items:
            if len(waiting) == most:
                yield self._result(waiting.popleft())
            waiting.append(remote.remote(*shared, item))
        while waiting:
            yield self._result(waiting.popleft())

    def _result(self, reference: Any) -> Any:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None


RUNNERS: dict[str, Callable[[], Runner]] = {"local": Local, "ray": Ray}


def runner_of(name: str) -> Runner:
    """Raises UsageError for a name that is none, or whose library is missing."""
    if name not in RUNNERS:
        raise unknown("runner", name, RUNNERS)
    return RUNNERS[name]()


@contextlib.contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Ctrl-C does not reach what is started inside: a process that is half started would end with
    a traceback. Here it has to wait as well (`held`), as another thread may be told of it.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_folder(folder: Path, work: Callable[[Item], Result], item: Item) -> Result:
    """Relative paths mean there what they mean here, where the folder is there."""
    with contextlib.suppress(OSError):
        os.chdir(folder)
    return work(item)


def _leave_ctrl_c() -> None:
    """Ctrl-C reaches all processes of a terminal; the one that asked for the work answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
