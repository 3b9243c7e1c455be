"""Progress for people: bars with rate and ETA on a terminal, sparse plain lines elsewhere.

Everything goes to stderr, so that stdout stays free for results.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator

from hornbook.core.language import told
from hornbook.core.terminal import visible

Advance = Callable[[float], None]


class Progress:
    """Says what is going on. `quiet` says nothing."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar_open = False

    def say(self, *lines: str) -> None:
        """Lines for the user, above any open bar; what would steer a terminal is shown instead."""
        if self.quiet:
            return
        message = "\n".join(visible(told(line)) for line in lines)
        if self._bar_open:
            self._live.console.print(message, markup=False, highlight=False, soft_wrap=True)
        elif sys.stderr is not None:
            # Hours of work are not lost because the reader of their messages went away.
            with contextlib.suppress(BrokenPipeError):
                sys.stderr.write(message + "\n")
                sys.stderr.flush()

    @contextlib.contextmanager
    def bar(self, title: str, total: float | None, unit: str) -> Iterator[Advance]:
        """A bar for `total` units (None: unknown); yields a function that moves it on.

        Shown on a terminal only: a log file is not filled with bars.
        """
        if self.quiet or self._bar_open or not _is_terminal():
            yield lambda amount: None
            return
        from rich import progress as rich_progress
        from rich.console import Console

        columns = (
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(),
            rich_progress.TaskProgressColumn(),
            rich_progress.TextColumn("{task.fields[rate]}"),
            rich_progress.TimeRemainingColumn(),
        )
        with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as live:
            task = live.add_task(told(title), total=total, rate="")

            def advance(amount: float) -> None:
                live.advance(task, amount)
                speed = live.tasks[0].speed
                live.update(task, rate=f"{speed:,.0f} {told(unit)}/s" if speed else "")

            self._live, self._bar_open = live, True
            try:
                yield advance
            finally:
                self._bar_open = False


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
