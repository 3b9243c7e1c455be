"""Work on what may be hostile is done in another process, which may die of it: this one goes on.

The work is a generator of another module, called by name. A step of it (`guarded.step`) that takes
too much time or memory, or crashes, ends the other process; a new one does the same work without
that step. Nothing is unpickled.
"""

import atexit
import contextlib
import json
import mmap
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hornbook.core.errors import HornbookError, UsageError
from hornbook.core.guarded import BOARD, DONE, ERROR, FAILED, FRAME, ITEMS, Fault
from hornbook.core.isolation import python, start_beside
from hornbook.core.limits import memory_for, seconds_for

MOST_FAULTS = 20
"""Steps of one piece of work that may fail: each costs seconds, and the work is done anew."""

_IDLE_S = 30.0
"""After which a process without work ends: starting one takes a fifth of a second."""

_PATIENCE = 10.0 if os.name == "posix" else 3.0
"""By which the clock may exceed the processor time a step has: other programs run as well."""

_OUT_OF_MEMORY = (b"bad_alloc", b"MemoryError", b"out of memory", b"Out of memory")
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class GaveUp(Exception):
    """The work cannot go on behind a step. given: items that came before. step: 0 for the whole."""

    def __init__(self, fault: Fault, step: int, given: int) -> None:
        super().__init__(fault.reason)
        self.fault, self.step, self.given = fault, step, given


def guarded(
    work: str, arguments: list[Any], size: int, patient: bool = False
) -> Iterator[tuple[Any, str]]:
    """The items of a generator function in a guarded process.

    work: "module:function", which must give the same items each time. arguments: plain data.
    size: bytes that a step may be about before it says so. patient: no clock, since it waits for
    others, such as a network. Raises HornbookError as the work does, and GaveUp when a step fails
    that cannot be left out.
    """
    request = {"work": work, "arguments": arguments, "size": size, "stop": 0}
    with contextlib.suppress(OSError):  # the current folder may be gone
        request["folder"] = str(Path.cwd())
    faults: dict[int, Fault] = {}
    given, end = 0, None
    while True:
        process = _take()
        try:
            for item in process.items({**request, "faults": faults, "skip": given}, patient):
                yield item
                given += 1
        except _Failed as failed:
            is_last = failed.step in faults or not failed.step or len(faults) == MOST_FAULTS
            if is_last and (end is not None or not failed.step):
                raise GaveUp(failed.fault, failed.step, given) from None
            if is_last:  # once more, for the items before that step
                end, request["stop"] = failed, failed.step
            faults[failed.step] = failed.fault
        else:
            if end is None:
                return
            raise GaveUp(end.fault, end.step, given)
        finally:
            process.finish()


class _Failed(Exception):
    """A step failed."""

    def __init__(self, step: int, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.step, self.fault = step, fault


class _At(NamedTuple):
    """What stands on the board."""

    step: int
    size: int


class _Process:
    """A process that does guarded work, one piece at a time."""

    def __init__(self) -> None:
        descriptor, name = tempfile.mkstemp(prefix="hornbook-")
        try:
            os.write(descriptor, bytes(BOARD.size))
            self._board = mmap.mmap(descriptor, BOARD.size)
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
            command = python("hornbook.core.guarded", name, str(_IDLE_S))
            self._process = start_beside(command, self._said, _THREADS)
            assert self._process.stdin and self._process.stdout, "both are pipes"
            self._input, self._output = self._process.stdin, self._process.stdout
            self.is_busy, self._patient, self._late = True, True, False
            self.idle_since = 0.0
            self._waits_since: float | None = None
            self._ended = threading.Event()
            self._start()
        finally:
            os.close(descriptor)
            Path(name).unlink()
        threading.Thread(target=self._keep_time, daemon=True).start()

    def _start(self) -> None:
        """Wait until it is there."""
        frame = self._frame()
        if frame is None:
            said = self._last_words()
            self.close()
            raise HornbookError(f"The process that reads files could not be started: {said}.")
        # A new process begins with the peak of the one that started it, which may be larger.
        self._inherited = int(frame[1][0])
        self.is_busy = False

    @property
    def is_alive(self) -> bool:
        """Whether it surely has not ended yet for want of work."""
        return self._process.poll() is None and time.monotonic() - self.idle_since < _IDLE_S / 2

    def items(self, request: dict[str, Any], patient: bool) -> Iterator[tuple[Any, str]]:
        """Raises _Failed when a step fails, and the error that the work raised for people."""
        self.is_busy = True
        self._patient = patient
        BOARD.pack_into(self._board, 0, 0, request["size"])
        with contextlib.suppress(BrokenPipeError):
            self._input.write(json.dumps(request).encode("ascii") + b"\n")
            self._input.flush()
        while True:
            found = self._frame()
            if found is None:
                raise self._death()
            kind, values, text = found
            if kind != ITEMS:
                break
            start = 0
            for value, size in values:
                yield value, str(text[start : start + size], "utf-8") if size else ""
                start += size
        if kind == DONE and values[0] >= request["skip"]:
            self.is_busy = False
            return
        if kind == ERROR:
            self.is_busy = False
            raise (UsageError if values[0] == UsageError.exit_code else HornbookError)(values[1])
        if kind == FAILED:
            raise _Failed(self._at.step, self._told(Fault(*values)))
        raise _Failed(0, Fault("changed while it was read", "it holds less than before"))

    def finish(self) -> None:
        """Keep the process for later work, unless it is in the middle of some."""
        if self.is_busy or len(_idle) >= _MOST_IDLE:
            self.close()
        else:
            self.idle_since = time.monotonic()
            _idle.append(self)

    def close(self) -> None:
        """End the process."""
        self._ended.set()
        self._process.kill()
        self._wait()
        for stream in (self._input, self._output, self._said, self._board):
            with contextlib.suppress(OSError):
                stream.close()

    @property
    def _at(self) -> _At:
        return _At(*BOARD.unpack_from(self._board, 0))

    def _frame(self) -> tuple[bytes, Any, memoryview] | None:
        """The next frame, or None when the process ended before."""
        self._waits_since = time.monotonic()
        try:
            head = self._output.read(FRAME.size)
            if len(head) < FRAME.size:
                return None
            kind, values, text = FRAME.unpack(head)
            data = self._output.read(values + text)
        finally:
            self._waits_since = None
        if len(data) < values + text:
            return None
        plain = str(memoryview(data)[:values], "utf-8", "surrogatepass")
        return kind, json.loads(plain), memoryview(data)[values:]

    def _death(self) -> _Failed:
        """What the process ended of."""
        peak, code = self._wait(), self._process.returncode
        at = self._at
        cpu = -getattr(signal, "SIGXCPU", 0)
        if self._late or (cpu and code == cpu):
            fault = Fault("took too long", "")
        elif peak > max(memory_for(at.size) // 2, self._inherited) or any(
            w in self._words() for w in _OUT_OF_MEMORY
        ):
            fault = Fault("too much memory", "")
        else:
            fault = Fault("the reader crashed", _exit(code))
        return _Failed(at.step, self._told(fault))

    def _told(self, fault: Fault) -> Fault:
        """The fault with how much was allowed."""
        size = self._at.size
        if fault.reason == "took too long":
            return fault._replace(detail=f"more than {seconds_for(size):.0f} s for {size:,} bytes")
        if fault.reason == "too much memory":
            most = memory_for(size) / 2**20
            return fault._replace(detail=f"more than {most:,.0f} MiB for {size:,} bytes")
        return fault

    def _wait(self) -> int:
        """Wait for its end; the most memory it held, in bytes, or 0 where nobody says."""
        if self._process.returncode is not None or not hasattr(os, "wait4"):
            self._process.wait()
            return 0
        try:
            _, status, usage = os.wait4(self._process.pid, 0)
        except ChildProcessError:  # somebody else has waited for it
            self._process.wait()
            return 0
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return int(usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)

    def _words(self) -> bytes:
        """The end of what it printed."""
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 2**12))
        return bytes(self._said.read())

    def _last_words(self) -> str:
        lines = self._words().decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def _keep_time(self) -> None:
        """End the process when it stays at one step far too long without taking processor time."""
        before, since = self._at, time.monotonic()
        while not self._ended.wait(1.0):
            if not self.is_busy and self._process.poll() is not None:
                with contextlib.suppress(ValueError):  # taken in this very moment
                    _idle.remove(self)
                    self.close()
                return
            waits, at = self._waits_since, self._at
            if at != before or waits is None or self._patient:
                before, since = at, time.monotonic()
            elif time.monotonic() - max(since, waits) > _PATIENCE * seconds_for(at.size):
                self._late = True
                self._process.kill()
                return


_idle: list[_Process] = []
_MOST_IDLE = 2


def _take() -> _Process:
    """One that waits for work, or a new one."""
    while _idle:
        process = _idle.pop()
        if process.is_alive:
            return process
        process.close()
    return _Process()


def _exit(code: int | None) -> str:
    """How a process ended, for people."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


@atexit.register
def _close_all() -> None:
    while _idle:
        _idle.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)
