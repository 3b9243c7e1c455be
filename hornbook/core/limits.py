"""How much time and memory one step of work may take, kept by the system itself.

What runs inside a C library cannot be stopped from Python, so the kernel does it: past its
processor time the process ends (SIGXCPU), past its memory an allocation fails. Where the system
keeps no such limits (Windows knows neither, macOS not that of memory) nothing is set, and the clock
of `guard` alone holds.
"""

import contextlib
import math
import time
from pathlib import Path
from typing import Any

SECONDS, SECONDS_A_MEGABYTE, MOST_SECONDS = 5.0, 2.0, 120.0
"""Processor time of a step: a page, letter or row takes a few hundredths of it at most."""

MEMORY, MEMORY_A_BYTE, LARGE = 3 * 2**29, 8, 2**28
"""Bytes beyond what the process has: so many, and so many for each byte of a step up to LARGE."""

_RENEWED = 0.5
"""Seconds between two looks at the clock: steps are many and mostly tiny."""


def seconds_for(size: int) -> float:
    """Processor time for a step on `size` bytes."""
    return min(SECONDS + SECONDS_A_MEGABYTE * size / 1e6, MOST_SECONDS)


def memory_for(size: int) -> int:
    """Bytes of memory for a step on `size` bytes."""
    return MEMORY + MEMORY_A_BYTE * min(size, LARGE) + size


class Limits:
    """Those of this process; they hold from the first step on until `lift`."""

    def __init__(self) -> None:
        self._resource: Any = None
        with contextlib.suppress(ImportError):  # Windows has none
            import resource

            self._resource = resource
            self._set(resource.RLIMIT_CORE, 0)  # a crash is told, its memory is nobody's business
        self._base = self._memory = self._size = 0
        self._renew = 0.0

    def begin(self, size: int) -> None:
        """Limits for work on `size` bytes, counted from what the process holds now."""
        self._base, self._memory, self._renew = _private_bytes(), 0, 0.0
        self.step(size)

    def step(self, size: int) -> None:
        """The next step may take its own time, and memory for its own size if that is more."""
        now = time.monotonic()
        if now < self._renew and size <= self._size:
            return
        self._renew, self._size = now + _RENEWED, size
        if self._resource is None:
            return
        # The limit has whole seconds.
        until = time.process_time() + seconds_for(size) + _RENEWED
        self._set(self._resource.RLIMIT_CPU, math.ceil(until))
        if self._base and (memory := self._base + memory_for(size)) > self._memory:
            self._memory = memory
            # Of address space a library may reserve far more than it fills; this counts what is
            # private and writable.
            self._set(self._resource.RLIMIT_DATA, memory)

    def lift(self) -> None:
        """Without limits: the work is done."""
        if self._resource is not None:
            self._set(self._resource.RLIMIT_CPU, None)
            if self._base:
                self._set(self._resource.RLIMIT_DATA, None)

    def _set(self, kind: int, limit: int | None) -> None:
        most = self._resource.getrlimit(kind)[1]
        unlimited = self._resource.RLIM_INFINITY
        wanted = unlimited if limit is None else limit
        if most != unlimited:
            wanted = most if limit is None else min(limit, most)
        with contextlib.suppress(ValueError, OSError):
            self._resource.setrlimit(kind, (wanted, most))


def _private_bytes() -> int:
    """What the process has of private, writable memory; 0 where only Linux would tell."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[5])
    except (OSError, IndexError, ValueError):
        return 0
    import mmap

    return pages * mmap.PAGESIZE
