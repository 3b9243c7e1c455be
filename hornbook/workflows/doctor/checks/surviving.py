"""What a run must survive: a kill, and a machine without a network."""

from hornbook.workflows.doctor.child import STEPS
from hornbook.workflows.doctor.diagnosis import (
    Diagnosis,
    beside_the_point,
    check,
    doubtful,
    faulty,
    sound,
)
from hornbook.workflows.doctor.killing import apart_after_resuming, killed
from hornbook.workflows.doctor.subject import Subject

_NEAR = 1e-4
"""Of a weight: what sums in another order may come to in a few steps."""
_SHOWN = 3


@check("resume", "Killed and resumed, it learns the same", "problem", turn=3)
def resumed(subject: Subject) -> Diagnosis:
    """A process is killed after it saved; what goes on from there must have the same weights."""
    found = killed(subject)
    if found.said:
        return faulty(
            f"a process of its own could not train: {found.said.rpartition(chr(10))[2]}",
            "Mend what it says; a resumed run would stop there.",
        )
    if not found.saved:
        return beside_the_point("no checkpoint was written within the time that there is for it")
    apart = apart_after_resuming(subject)
    if apart > _NEAR:
        return faulty(
            f"after {STEPS} steps weights differ by {apart:.2g} from those of a run left alone",
            "Report it: what is resumed is another run.",
        )
    if apart and subject.problem and subject.problem.loop.device == "cpu":
        return doubtful(
            f"after {STEPS} steps weights differ by {apart:.1g}: not the same bits",
            "Leave the number of threads as it was (OMP_NUM_THREADS).",
        )
    return sound(f"killed by SIGKILL after a checkpoint; the same weights after {STEPS} steps")


@check("offline", "No network is used", turn=3)
def offline(subject: Subject) -> Diagnosis:
    """Sockets that the process asks for, by Python's audit events and the system's tables."""
    if subject.problem is None and subject.model is None and subject.linear is None:
        return beside_the_point("nothing is opened here")
    found = killed(subject)
    if found.sockets:
        shown = ", ".join(found.sockets[:_SHOWN])
        return faulty(
            f"it opened sockets: {shown}", "Find out what asks for them before you use it here."
        )
    if found.said and not found.saved:
        return beside_the_point("the process ended before there was anything to see")
    return sound("no socket was opened from the first import to the end")
