"""Measuring by many processes: each measures its part, and all parts come together in their order.

All find the same list as one process would, so that sums and intervals are the same to the bit.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from hornbook.training.parallel.team import Team

Item = TypeVar("Item")
Found = TypeVar("Found")

_measuring: list[Team] = []
"""The team that measures together just now."""


@contextlib.contextmanager
def together(team: Team) -> Iterator[None]:
    """Inside, `spread` shares its work out. All processes must come to it alike."""
    _measuring.append(team)
    try:
        yield
    finally:
        _measuring.pop()


def spread(work: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """What `work` gives for each item, in their order: by this process, or by all where all measure
    together.

    What `work` gives is plain data, lists for arrays, as it goes from process to process.
    """
    if not _measuring:
        return [work(item) for item in items]
    team = _measuring[-1]
    mine = [work(item) for at, item in enumerate(items) if at % team.world == team.rank]
    parts: list[list[Found]] = team.gathered(mine)
    count = sum(map(len, parts))
    return [parts[at % team.world][at // team.world] for at in range(count)]
