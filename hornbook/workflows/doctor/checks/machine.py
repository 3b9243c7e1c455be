"""This machine: the kernels that it can run, and who else uses it."""

from hornbook import kernels
from hornbook.core.machine import has_bfloat16
from hornbook.core.threads import own, slowness
from hornbook.workflows.doctor.diagnosis import Diagnosis, check, doubtful, sound
from hornbook.workflows.doctor.subject import Subject

_BUSY = 1.5


@check("kernels", "Our kernels run on this processor", turn=2)
def kernels_run(subject: Subject) -> Diagnosis:
    """Without them everything works, in torch's kernels, which are slower."""
    if kernels.library() is None:
        return doubtful(
            f"models of few bits run in torch's kernels, which are slower: {kernels.missing()}",
            "Install a C++ compiler, or a wheel that brings them built.",
        )
    types = "float32 and bfloat16" if has_bfloat16() else "float32"
    return sound(f"they are loaded; the processor multiplies {types} itself")


@check("busy", "Nobody else uses this machine", turn=0)
def alone(subject: Subject) -> Diagnosis:
    """What is forecast now holds for the machine as it is now."""
    busy = slowness()
    if busy > _BUSY:
        return doubtful(
            f"others use it: work takes {busy:.1f} times as long as it would",
            "Minutes are kept all the same, with fewer steps; wait, or close other programs.",
        )
    return sound(f"{own()} threads of our own, and nobody beside them")
