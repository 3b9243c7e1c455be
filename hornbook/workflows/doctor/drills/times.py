"""Drills of time: a clock that jumps, a disk that is slow, a machine that others use."""

import os
import sys
import time
from contextlib import ExitStack
from tempfile import TemporaryFile
from unittest.mock import patch

from hornbook.core.clock import OVERTIME
from hornbook.core.isolation import start_beside
from hornbook.core.threads import slowness
from hornbook.training import checkpoint
from hornbook.workflows.doctor.diagnosis import Diagnosis, beside_the_point, faulty, sound
from hornbook.workflows.doctor.drills import drill
from hornbook.workflows.doctor.drills.material import minutes_used
from hornbook.workflows.doctor.subject import Subject

_MINUTES = 0.5
_TOO_BUSY = 2.0
"""Times as long as work takes: beyond it minutes are lost to others, and nothing can be judged."""
_DAY_S = 86_400.0
_SLOW_S = 0.5
"""Seconds that a checkpoint takes on the slow disk: of the run's minutes, most of a tenth."""
_SPIN = "import os\nwhile os.getppid() == {parent}:\n    sum(range(10**5))\n"


def _judged(used: float, how: str, before: float) -> Diagnosis:
    """before: how slow the machine was already."""
    if max(before, slowness()) > _TOO_BUSY and used > OVERTIME:
        return beside_the_point("others use this machine too much for minutes to be judged")
    if used > OVERTIME:
        return faulty(
            f"the run took {used:.0%} of its minutes {how}", "Report it, with what was found."
        )
    return sound(f"the run took {used:.0%} of its minutes {how}, and kept all that it learned")


@drill("clock_jump", "A clock that jumps by a day")
def clock_jump(subject: Subject) -> Diagnosis:
    """The date is set anew in the middle of a run, forwards and backwards by turns."""
    real, calls, before = time.time, [0], slowness()

    def jumping() -> float:
        calls[0] += 1
        return real() + (_DAY_S if calls[0] // 50 % 2 else -_DAY_S)

    with patch("time.time", jumping):
        used = minutes_used(subject.work / "clock", _MINUTES)
    return _judged(used, "while the date jumped", before)


@drill("slow_disk", "A disk that is slow")
def slow_disk(subject: Subject) -> Diagnosis:
    """Each checkpoint takes long: fewer are written, and the minutes are kept."""
    saved, before, save = [0], slowness(), checkpoint.save_checkpoint

    def slow(*given: object, **named: object) -> object:
        saved[0] += 1
        time.sleep(_SLOW_S)
        return save(*given, **named)  # type: ignore[arg-type]

    with patch.object(checkpoint, "save_checkpoint", slow):
        used = minutes_used(subject.work / "slow", _MINUTES)
    return _judged(used, f"with {saved[0]} checkpoints of {_SLOW_S:g} s", before)


@drill("busy_machine", "A machine that others use")
def busy_machine(subject: Subject) -> Diagnosis:
    """Three programs a processor do nothing but compute beside the run."""
    before = slowness()
    spin = [sys.executable, "-c", _SPIN.format(parent=os.getpid())]
    count = 3 * (os.cpu_count() or 1)
    with ExitStack() as stack:
        said = stack.enter_context(TemporaryFile())
        others = [stack.enter_context(start_beside(spin, said, {})) for _ in range(count)]
        try:
            used = minutes_used(subject.work / "busy", _MINUTES)
        finally:
            for other in others:
                other.kill()
    return _judged(used, f"beside {count} busy programs", before)
