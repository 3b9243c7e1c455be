"""Where a run takes place: handed to all parts of its life."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hornbook.core.clock import Clock
from hornbook.core.progress import Progress

if TYPE_CHECKING:
    from hornbook.training.parallel.team import Team


class Place(NamedTuple):
    """A run's folder, how it tells of its work, and until when it must be done.

    rehearsing_s: what a rehearsal may take at most, where a run is only planned. team: the
    processes that help, None where this one is alone.
    """

    folder: Path
    progress: Progress
    clock: Clock
    rehearsing_s: float = math.inf
    team: "Team | None" = None
