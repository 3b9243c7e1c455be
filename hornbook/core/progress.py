"""Progress for people: bars with rate and ETA on a terminal, sparse plain lines elsewhere.

Everything goes to stderr, so that stdout stays free for results. Silence never lasts long: while a
command runs, a thread says what is being done whenever nothing was said for some seconds.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

from hornbook.core.language import told
from hornbook.core.ranks import is_helper
from hornbook.core.terminal import visible

Advance = Callable[[float], None]


_SILENCE_S = 9.0
"""Seconds without a word after which it is said that the work goes on."""
_SHOWN = 60
"""Characters of the last line that are repeated then."""


class _Pulse:
    """What this process said last, and when; of a bar that is open, how far it is.

    One for the process, as stderr is: work in which nothing is said (a quiet part of a larger one)
    is still part of a command that somebody waits for.
    """

    def __init__(self) -> None:
        self.said, self.at = "", 0.0
        self.bars: list[tuple[str, float | None, str]] = []
        self.done: list[float] = []
        self.shown = False  # a bar on a terminal moves by itself

    def note(self, line: str) -> None:
        self.said, self.at = line.strip(), time.monotonic()

    def line(self) -> str:
        """What is being done, for how long nothing else was said."""
        waited = time.monotonic() - self.at
        if self.bars:
            title, total, unit = self.bars[-1]
            of = "" if total is None else f" / {total:,.0f}"
            how_far = f"  … {told(title)}: {self.done[-1]:,.0f}{of} {told(unit)}, {waited:,.0f} s"
            return how_far if self.said == told(title) else f"{how_far}: {self._shortened()}"
        return f"  … {waited:,.0f} s: {self._shortened()}"

    def _shortened(self) -> str:
        return self.said if len(self.said) <= _SHOWN else self.said[:_SHOWN] + " …"


_PULSE = _Pulse()


@contextlib.contextmanager
def never_silent(seconds: float = _SILENCE_S) -> Iterator[None]:
    """While inside, a line whenever nothing was said for so long; of work that has a `Progress`,
    for others wait for their user or write as they go.
    """
    left = threading.Event()
    _PULSE.note("")
    before = _PULSE.at

    def watch() -> None:
        printed = before
        while not left.wait(seconds / 9):
            quiet_since = max(_PULSE.at, printed)
            if _PULSE.said and not _PULSE.shown and time.monotonic() - quiet_since >= seconds:
                printed = time.monotonic()
                _print(visible(_PULSE.line()))

    thread = threading.Thread(target=watch, name="never silent", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()


def _print(message: str) -> None:
    if sys.stderr is not None:
        # Hours of work are not lost because the reader of their messages went away.
        with contextlib.suppress(BrokenPipeError):
            sys.stderr.write(message + "\n")
            sys.stderr.flush()


def quoted(text: str) -> list[str]:
    """A text of others as lines to say, marked so that none can pass for a line of ours."""
    return [f"  | {line}" for line in text.split("\n")]


class Progress:
    """Says what is going on. `quiet` says nothing, nor does a process that helps another."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet or is_helper()
        self._bar_open = False
        if not self.quiet:
            _PULSE.note(told("starting"))

    def doing(self, what: str) -> None:
        """What goes on now, said only if it takes so long that somebody would wonder."""
        if not self.quiet:
            _PULSE.note(told(what))

    def say(self, *lines: str) -> None:
        """Lines for the user, above any open bar; what would steer a terminal is shown instead."""
        if self.quiet:
            return
        message = "\n".join(visible(told(line)) for line in lines)
        _PULSE.note(message.rpartition("\n")[2])
        if self._bar_open:
            self._live.console.print(message, markup=False, highlight=False, soft_wrap=True)
        else:
            _print(message)

    @contextlib.contextmanager
    def bar(self, title: str, total: float | None, unit: str) -> Iterator[Advance]:
        """A bar for `total` units (None: unknown); yields a function that moves it on.

        Shown on a terminal only: a log file is not filled with bars. It gets a line now and then
        (`never_silent`).
        """
        if self.quiet:
            yield lambda amount: None
            return
        _PULSE.note(told(title))
        _PULSE.bars.append((title, total, unit))
        _PULSE.done.append(0.0)
        try:
            with self._shown(title, total, unit) as advance:

                def forward(amount: float) -> None:
                    _PULSE.done[-1] += amount
                    advance(amount)

                yield forward
        finally:
            _PULSE.bars.pop()
            _PULSE.done.pop()

    @contextlib.contextmanager
    def _shown(self, title: str, total: float | None, unit: str) -> Iterator[Advance]:
        """The bar on a terminal, if there is one and no other bar."""
        if self._bar_open or not _is_terminal():
            yield lambda amount: None
            return
        from rich import progress as rich_progress
        from rich.console import Console

        columns = (
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            rich_progress.TaskProgressColumn(),
            rich_progress.TextColumn("{task.fields[rate]}"),
            rich_progress.TimeElapsedColumn(),
            rich_progress.TimeRemainingColumn(),
        )
        with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as live:
            task = live.add_task(told(title), total=total, rate="")

            def advance(amount: float) -> None:
                live.advance(task, amount)
                speed = live.tasks[0].speed
                live.update(task, rate=f"{speed:,.0f} {told(unit)}/s" if speed else "")

            self._live, self._bar_open, _PULSE.shown = live, True, True
            try:
                yield advance
            finally:
                self._bar_open = _PULSE.shown = False


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
