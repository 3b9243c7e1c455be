"""What a template may take: steps, seconds, characters, parts of lists, digits, memory.

Python cannot stop one operation of its own, so what an operation gets is bounded: with texts and
lists of bounded sizes each of them ends soon. Counts for the template that runs in this thread.
"""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

STEPS, SECONDS, CHARACTERS = 1_000_000, 3.0, 2**18
"""Of a conversation. What it writes may be four times as long as what it is given, besides."""
MEMORY = 2**29
_BITS = 100_000
"""Of a whole number."""
_PARTS = 100_000
"""Of a list and the lists in it, each counted as often as it stands there: sixteen lists that hold
the one before twice are 65,536, which takes as long to compare or to write."""
_TEXT_STEP, _PART_STEP = 64, 16
"""Characters and parts that are looked at in about the time of a step."""
_HOLDING = (list, tuple, dict, set, frozenset, range)


class TooMuch(Exception):
    """A limit was reached."""


class _Budget(threading.local):
    """What is left. given: the lists that a template got, by id; they hold none twice."""

    steps = 0
    until = 0.0
    longest = 0
    given: frozenset[int] = frozenset()

    def begin(self, values: Mapping[str, Any]) -> None:
        """Anew, for what a template is given."""
        self.steps, self.until = STEPS, time.perf_counter() + SECONDS
        self.longest = CHARACTERS + 4 * len(str(values))
        self.given = frozenset(map(id, _lists(values)))

    def step(self, cost: int = 1) -> None:
        self.steps -= cost
        if self.steps < 0:
            raise TooMuch(f"it does not end after {STEPS:,} steps")
        if time.perf_counter() > self.until:
            raise TooMuch(f"it does not end after {SECONDS:.0f} seconds")

    def use(self, values: Iterable[Any]) -> None:
        """A step on values, which costs more where they are large."""
        cost, parts, open_ = 1, 0, []
        while True:
            for value in values:
                if isinstance(value, str | bytes):
                    size = len(value)
                    cost += size // _TEXT_STEP
                    self.fits(size)
                elif isinstance(value, _HOLDING) and id(value) not in self.given:
                    parts += len(value)
                    if parts > _PARTS:
                        raise TooMuch(f"it makes lists of more than {_PARTS:,} parts")
                    # All of messages[1:] was given.
                    if isinstance(value, dict) or not self.given.issuperset(map(id, value)):
                        open_.append(value)
            if not open_:
                return self.step(cost + parts // _PART_STEP)
            values = open_.pop()
            if isinstance(values, dict):
                values = itertools.chain(values, values.values())

    def fits(self, characters: int) -> None:
        """Whether a text is no longer than all that may be written."""
        if characters > self.longest:
            raise TooMuch(f"it writes more than {self.longest:,} characters")


BUDGET = _Budget()


@contextlib.contextmanager
def limits(values: Mapping[str, Any]) -> Iterator[None]:
    """For one run of a template. Raises TooMuch, also for memory."""
    BUDGET.begin(values)
    try:
        with _limited_memory():
            yield
    except MemoryError:
        raise TooMuch(f"it takes more than {MEMORY / 2**20:.0f} MiB") from None


def check_numbers(operator: str, left: Any, right: Any) -> None:
    """Refuse whole numbers whose computing would take long before it takes memory."""
    if operator != "+" and isinstance(left, int) and isinstance(right, int):
        more = abs(right) if operator == "**" else 1
        if left.bit_length() * more > _BITS or right.bit_length() > _BITS:
            raise TooMuch("it computes with numbers that are too large")


def _lists(value: Any) -> Iterator[Any]:
    """All lists and mappings of a value that is a tree."""
    if isinstance(value, Mapping | list | tuple):
        yield value
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _lists(part)


@contextlib.contextmanager
def _limited_memory() -> Iterator[None]:
    """Allocations beyond `MEMORY` fail inside, where the system can do that."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        before = resource.getrlimit(resource.RLIMIT_AS)
        most = pages * resource.getpagesize() + MEMORY
        tighter = before[0] == resource.RLIM_INFINITY or most < before[0]
    except (ImportError, OSError):
        tighter = False
    if not tighter:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
