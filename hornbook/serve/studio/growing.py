"""Logs that grow: what was read of one is kept, and only what came since is read again.

A log that was cut or written anew, as when a run goes on from an earlier step, is read from its
beginning.
"""

import json
import threading
from array import array
from collections import OrderedDict
from pathlib import Path
from typing import Any

Row = dict[str, Any]
COLUMNS = ("step", "tokens", "elapsed_s", "loss")
"""Of a step, what charts show."""
_TRAIN = b'"kind": "train"'
_END = 256
"""Bytes before where a log was read to that tell whether it is still the same."""
_LOGS = 256
"""That are kept."""
_STRETCH = 4 * 2**20
"""Bytes that are read at once."""


class GrowingLog:
    """landmarks: rows that are not of every step. last: the last row of all."""

    def __init__(self, path: Path) -> None:
        self._path, self._one = path, threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._read_to, self._end = 0, b""
        self._steps_to = 0
        self.landmarks: list[Row] = []
        self.last: Row | None = None
        self.train = {name: array("d") for name in COLUMNS}

    def look(self, with_steps: bool = False) -> "GrowingLog":
        """Read what came since. with_steps: the columns of `train` too, one value for each step,
        which takes longer. Raises OSError where there is no such file."""
        with self._one, self._path.open("rb") as log:
            log.seek(max(0, self._read_to - _END))
            if log.read(min(self._read_to, _END)) != self._end:
                self._begin()
                log.seek(0)
            while stretch := log.read(_STRETCH):
                whole = stretch.rfind(b"\n") + 1
                if not whole:  # a row that is being written, or one of several stretches
                    if len(stretch) < _STRETCH:
                        break
                    rest = log.readline()
                    if not rest.endswith(b"\n"):
                        break
                    stretch, whole = stretch + rest, len(stretch) + len(rest)
                self._take(stretch[:whole])
                log.seek(self._read_to)
            if with_steps:
                log.seek(self._steps_to)
                self._take_steps(log.read(self._read_to - self._steps_to))
        return self

    def _take(self, stretch: bytes) -> None:
        """Whole lines."""
        self._read_to += len(stretch)
        self._end = (self._end + stretch)[-_END:]
        lines = stretch.split(b"\n")[:-1]
        self.landmarks += [
            row for line in lines if _TRAIN not in line and (row := row_of(line)) is not None
        ]
        self.last = row_of(lines[-1]) or self.last

    def _take_steps(self, stretch: bytes) -> None:
        self._steps_to += len(stretch)
        for line in stretch.split(b"\n"):
            row = row_of(line) if _TRAIN in line else None
            if row is not None and "loss" in row:
                for name, column in self.train.items():
                    value = row.get(name)
                    column.append(value if isinstance(value, int | float) else 0.0)


def row_of(line: bytes) -> Row | None:
    """A row of a log; None for what is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("step"), int) else None


_logs: "OrderedDict[Path, GrowingLog]" = OrderedDict()
_one = threading.Lock()


def log_of(path: Path) -> GrowingLog:
    """The log at a path, as far as it was read."""
    with _one:
        log = _logs.pop(path, None) or GrowingLog(path)
        _logs[path] = log
        if len(_logs) > _LOGS:
            _logs.popitem(last=False)
    return log
