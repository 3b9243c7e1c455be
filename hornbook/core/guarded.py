"""The process that does guarded work: it says at which step it is, and keeps its limits.

What is worked on may be hostile; whatever becomes of this process, `guard` sees on the board at
which step it was.

A request is a line of JSON on standard input; frames of JSON and text go back on standard output.
"""

import contextlib
import importlib
import json
import mmap
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from hornbook.core.errors import HornbookError
from hornbook.core.limits import Limits

BOARD = struct.Struct("<QQ")
"""What the guard sees without asking: the number of the step, and its bytes."""

FRAME = struct.Struct("<cQQ")
"""Before each frame: its kind, the bytes of its JSON and those of its text."""
ITEMS, DONE, FAILED, ERROR = b"i", b"d", b"f", b"e"

_FRAME_BYTES, _FRAME_SECONDS, _ITEM_BYTES = 2**19, 0.2, 256
"""Items wait for one another up to so much text, or so long; what one is beside its text, about."""

Values = tuple[Any, str] | tuple[Any, str, int]
"""An item: plain data, and a text that may be long; and the bytes of the data, where it is much.

What is no plain data comes as `str` writes it.
"""


class Fault(NamedTuple):
    """Why a step cannot be done: a short, countable reason, and the detail."""

    reason: str
    detail: str


class _Stop(BaseException):
    """The work ends here; readers catch all that is an Exception."""


class Steps:
    """The steps of one piece of work. faults: of steps that are known to fail, by number.

    stop: the step before which the work ends, 0 for none.
    """

    def __init__(
        self, board: Any, limits: Limits, faults: dict[int, Fault], stop: int, size: int
    ) -> None:
        self.number = 0
        self._board, self._limits, self._faults, self._stop = board, limits, faults, stop
        BOARD.pack_into(board, 0, 0, size)
        limits.begin(size)

    def next(self, size: int) -> Fault | None:
        """Begin the next step, on `size` bytes."""
        self.number += 1
        if self.number == self._stop:
            raise _Stop
        BOARD.pack_into(self._board, 0, self.number, size)
        self._limits.step(size)
        return self._faults.get(self.number)


_steps: Steps | None = None


def step(size: int) -> Fault | None:
    """To be called before each step of work: a record, a page. size: its bytes.

    Gives the fault of a step that ended the process before: it must be left out, and the fault
    told in its place. Which steps there are may depend on the work's data alone. Does nothing in a
    process that nobody guards.
    """
    return _steps.next(size) if _steps else None


def main(board_name: str, idle_s: float) -> None:
    """Answer requests until none comes any more, or none for `idle_s` seconds."""
    with contextlib.suppress(AttributeError, ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who asked for the work answers Ctrl-C
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get among the answers
    with Path(board_name).open("r+b") as file:
        board = mmap.mmap(file.fileno(), BOARD.size)
    limits = Limits()
    _send(answers, DONE, [peak_bytes()])
    while line := _request(requests, idle_s):
        _answer(json.loads(line), answers, board, limits)
        limits.lift()


def peak_bytes() -> int:
    """The most memory this process held, that of its parent when it was started included; 0 where
    nobody says."""
    with contextlib.suppress(ImportError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return 0


def _request(requests: BinaryIO, idle_s: float) -> bytes:
    """The next line, or b"" for the end."""
    if os.name == "posix":
        import select

        if not select.select([requests], [], [], idle_s)[0]:
            return b""
    return requests.readline()


def _answer(request: dict[str, Any], answers: BinaryIO, board: Any, limits: Limits) -> None:
    global _steps
    if "folder" in request:
        os.chdir(request["folder"])  # what the paths of the work are relative to
    module, _, name = request["work"].partition(":")
    work = getattr(importlib.import_module(module), name)
    faults = {int(number): Fault(*fault) for number, fault in request["faults"].items()}
    _steps = Steps(board, limits, faults, request["stop"], request["size"])
    try:
        given = _send_items(work, request, answers)
    except HornbookError as error:
        _send(answers, ERROR, [error.exit_code, str(error)])
    except MemoryError:
        _send(answers, FAILED, ["too much memory", ""])
    except RecursionError:
        _send(answers, FAILED, ["nested too deeply", ""])
    except Exception as error:  # on hostile data libraries raise what they never document
        _send(answers, FAILED, ["the reader failed", f"{type(error).__name__}: {error}"])
    else:
        _send(answers, DONE, [given])
    finally:
        _steps = None


def _send_items(
    work: Callable[..., Iterator[Values]], request: dict[str, Any], answers: BinaryIO
) -> int:
    """Send all items but the first `skip`; returns how many there were."""
    rows: list[Any] = []
    texts: list[bytes] = []
    size, count, sent = 0, 0, time.monotonic()
    try:
        for count, (values, text, *more) in enumerate(work(*request["arguments"]), 1):
            if count <= request["skip"]:
                continue
            data = text.encode("utf-8")
            rows.append([values, len(data)])
            texts.append(data)
            size += len(data) + sum(more) + _ITEM_BYTES
            if size >= _FRAME_BYTES or time.monotonic() - sent > _FRAME_SECONDS:
                _send(answers, ITEMS, rows, texts)
                rows, texts, size, sent = [], [], 0, time.monotonic()
    except _Stop:
        pass
    finally:
        if rows:
            _send(answers, ITEMS, rows, texts)
    return count


_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=str).encode


def _send(answers: BinaryIO, kind: bytes, values: Any, texts: list[bytes] | None = None) -> None:
    head = _encode(values).encode("utf-8", "surrogatepass")
    texts = texts or []
    frame = FRAME.pack(kind, len(head), sum(map(len, texts)))
    answers.write(b"".join([frame, head, *texts]))  # large ones go out in one piece
    answers.flush()


if __name__ == "__main__":
    # As the module that the work knows: this one has another name, and other steps.
    from hornbook.core.guarded import main as begin

    begin(sys.argv[1], float(sys.argv[2]))
