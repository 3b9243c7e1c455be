"""Results on stdout: for people nothing more than they asked for, for programs one JSON object.

What else there is to say goes to stderr. Nothing that others wrote steers the terminal.
"""

import io
import json
import os
import sys
import time
from typing import Any, NoReturn

from hornbook.core import ranks
from hornbook.core.json_text import finite
from hornbook.core.language import told
from hornbook.core.terminal import visible

_LEADER_SPEAKS_S = 3.0
"""How long a process that helps another waits before it says an error."""

_printed: list[bool] = []
"""Whether this command has printed its object: what fails after it adds none."""


class TerminalStream(io.TextIOWrapper):
    """Stdout where it is a terminal: what steers it is written as escapes (see `core.terminal`)."""

    def write(self, text: str) -> int:
        """Returns how many characters were taken, as any stream does."""
        super().write(visible(text, keep="\n\t"))
        return len(text)


def prepare_streams() -> None:
    """Make stdout and stderr take any character: what they cannot write, they escape."""
    _printed.clear()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty():
        encoding = sys.stdout.encoding
        sys.stdout = TerminalStream(
            sys.stdout.detach(), encoding, errors="backslashreplace", line_buffering=True
        )


def print_json(value: dict[str, Any], wanted: bool) -> None:
    """Print `value` as one line of JSON when --json was given; it is the last thing on stdout.

    A figure that is no number, as of nothing at all, is null.
    """
    if wanted and not ranks.is_helper():
        # Escapes where the stream cannot write all of Unicode (a Windows pipe, say).
        unicode = sys.stdout is None or sys.stdout.encoding.lower().startswith("utf")
        print(json.dumps(finite(value), ensure_ascii=not unicode), flush=True)
        _printed.append(True)


def note(line: str) -> None:
    """Something worth knowing beside the result."""
    print(visible(told(line)), file=sys.stderr, flush=True)


def show(line: str) -> None:
    """A line of the result for people."""
    print(told(line), flush=True)


def fail(message: str, code: int, json_wanted: bool) -> NoReturn:
    """Leave with one line on stderr, after what is still on its way to stdout.

    With --json the object that a program waits for is {"error": message, "exit_code": code}.
    """
    print_failure(message, code, json_wanted)
    prefix = "" if code in (130, 143) else told("error: ")
    if ranks.is_helper():  # the one that leads meets most errors too, and ends all when it has said
        time.sleep(_LEADER_SPEAKS_S)
        prefix = f"[{ranks.rank()}] {prefix}"
    print(prefix + visible(told(message)), file=sys.stderr)
    sys.exit(code)


def print_failure(message: str, code: int, json_wanted: bool) -> None:
    """The failure as the object that --json asks for, if no object was printed before."""
    try:
        print_json({"error": message, "exit_code": code}, json_wanted and not _printed)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # nobody listens; what was not written must not fail again when we leave
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
